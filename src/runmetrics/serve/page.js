"use strict";
// Takes the page anew and puts it in the place of the old one; says so when nobody answers.
const renew = async () => {
  const reading = getSelection().type === "Range";
  if (!document.hidden && !reading) {
    try {
      const answer = await fetch(location.pathname, { cache: "no-store", signal: AbortSignal.timeout(10000) });
      if (!answer.ok) throw new Error(answer.statusText);
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      document.title = fresh.title;
      document.body.replaceWith(document.adoptNode(fresh.body));
    } catch {
      document.body.classList.add("cut-off");
    }
  }
  setTimeout(renew, 1000 * document.body.dataset.renew);
};
addEventListener("DOMContentLoaded", () => setTimeout(renew, 1000 * document.body.dataset.renew));
