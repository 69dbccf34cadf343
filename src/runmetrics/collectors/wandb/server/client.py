"""The one seam to the W&B server: GraphQL over HTTPS, bounded in time and size.

Every fault comes out as one of those in errors.py. What W&B's data mean is decided elsewhere.
"""

import asyncio
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from typing import Any, Self

import httpx

from runmetrics.collectors.wandb.server.answers import Answer, AnswerReader
from runmetrics.collectors.wandb.server.endpoint import Endpoint, base_url_of, proxy_variables
from runmetrics.collectors.wandb.server.errors import (
    BadDocument,
    OutOfTime,
    Stopped,
    UnusableConnection,
)
from runmetrics.collectors.wandb.server.pace import Pace
from runmetrics.collectors.wandb.server.retry import Outage, RetryPolicy, Transient, last_error
from runmetrics.config.credentials import ApiKey
from runmetrics.config.settings import Settings
from runmetrics.deadline import Deadline
from runmetrics.http import Meter, NoAnswer, Request, exchange, new_tls
from runmetrics.proxies import proxy_for
from runmetrics.retry import Retries

__all__ = ["RetryPolicy", "WandbClient"]

Document = tuple[str, Mapping[str, Any]]
"""A GraphQL document and its variables."""

_DEFAULT_POLICY = RetryPolicy()


def _utc_now() -> datetime:
    return datetime.now(UTC)


class WandbClient:
    """Ask one W&B server under one deadline; use as an async context manager.

    `endpoint` is the server with its key. `requests` counts every try, `meter` the bytes of all
    answers; `pace` says how many may be under way. `clock_offset_seconds` is the server's clock
    minus ours by the latest answer, to about a second, None before one. `clock` is our wall clock.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        deadline: Deadline,
        *,
        retry: RetryPolicy = _DEFAULT_POLICY,
        clock: Callable[[], datetime] = _utc_now,
    ) -> None:
        self.requests = 0
        self.meter = Meter()
        self.clock_offset_seconds: float | None = None
        self.endpoint = endpoint
        self._answers = AnswerReader(endpoint, retry)
        self._deadline = deadline
        self._policy = retry
        self._clock = clock
        self.pace = Pace(retry, deadline, clock)
        self._outage = Outage()
        self._alone = asyncio.Lock()
        self._scopes: set[asyncio.Timeout] = set()

    @classmethod
    def of(
        cls,
        settings: Settings,
        key: ApiKey,
        deadline: Deadline,
        *,
        retry: RetryPolicy = _DEFAULT_POLICY,
    ) -> Self:
        """Return a client of the server that the settings, or the key's own record, name."""
        endpoint = Endpoint(
            base_url_of(settings, key),
            key,
            allow_insecure_http=settings.allow_insecure_http,
            app_url=settings.app_url,
        )
        return cls(endpoint, deadline, retry=retry)

    async def __aenter__(self) -> Self:
        self._http = self._connection_pool()
        loop = asyncio.get_running_loop()

        def wake() -> None:
            loop.call_soon_threadsafe(self._interrupt)

        self._forget_stop = self._deadline.on_stop(wake)
        return self

    async def __aexit__(self, *_exc: object) -> None:
        self._forget_stop()
        await self._http.aclose()

    async def query(
        self,
        document: str,
        variables: Mapping[str, Any] | None = None,
        *,
        tries: int | None = None,
        little: bool = False,
        smallest: Document | None = None,
    ) -> Answer:
        """Return the answer to a GraphQL document, after at most `tries` (the policy's) tries.

        `little` says that the document asks for next to nothing: a server that fails on it, too,
        is down. `smallest` is such a document: where the server may be down, it is tried first.
        GraphQL errors beside data are in the answer; without data they are raised.
        Raises the errors of server/errors.py; OutOfTime at the deadline and Stopped on SIGTERM,
        both at once, even in the middle of a wait.
        """
        content = _body(document, variables or {})

        async def attempt() -> Answer:
            while True:
                if smallest:
                    await self._see_whether_it_lives(smallest)
                async with self.pace.turn():
                    if smallest and self._outage.suspected:
                        continue  # others failed while this one waited for its turn
                    self._outage.check()
                    return await self._try(content, little=little)

        self._check_stopped()
        retries = Retries(self._policy, self._deadline, tries)
        scope = asyncio.timeout(self._deadline.remaining())
        self._scopes.add(scope)
        try:
            async with scope:
                return await retries.call_async(attempt, self._policy.sleep)
        except Transient as fault:
            raise last_error(fault, retries, self._deadline.remaining()) from fault.__cause__
        except TimeoutError:
            self._check_stopped()
            last = f"; the last try failed: {retries.failure.what}" if retries.failed else ""
            raise OutOfTime(
                f"the time for reading {self.endpoint} is over{last}",
                "raise --timeout, or ask for less",
            ) from None
        finally:
            self._scopes.discard(scope)

    async def _see_whether_it_lives(self, smallest: Document) -> None:
        """Ask a server that may be down the smallest question, while all who would ask more wait.

        Raises ServerDown where that fails too, however often it is tried.
        """
        if not self._outage.suspected:
            return

        async def attempt() -> None:
            async with self.pace.turn():
                await self._try(_body(*smallest), little=True)

        async with self._alone:
            if not self._outage.suspected:
                return
            self._outage.check()
            try:
                retries = Retries(self._policy, self._deadline)
                await retries.call_async(attempt, self._policy.sleep)
            except BadDocument:  # it lives: it reads what it is asked
                self._outage.answered()
            except Transient:
                self._outage.check()
                raise

    async def _try(self, content: bytes, *, little: bool) -> Answer:
        self._check_stopped()
        try:
            answer = await self._post(content)
        except Transient as fault:
            self._outage.failed(fault, little=little)
            raise
        self._outage.answered()
        return answer

    def _check_stopped(self) -> None:
        if self._deadline.stopped:
            raise Stopped(f"reading {self.endpoint} was stopped by a signal")

    def _interrupt(self) -> None:
        now = asyncio.get_running_loop().time()
        for scope in self._scopes:
            if not scope.expired():
                scope.reschedule(now)

    async def _post(self, content: bytes) -> Answer:
        self.requests += 1
        sent_at = self._clock()
        try:
            whole = await exchange(
                self._http,
                Request(self.endpoint.graphql_url, content=content),
                seconds=self._policy.total_timeout_seconds,
                most_bytes=self._policy.max_decoded_bytes,
                meter=self.meter,
            )
        except NoAnswer as failure:
            raise self._answers.missing(failure.fault) from failure.__cause__
        self.pace.learn(whole.headers, self._clock())
        answer = self._answers.read(whole)
        if answer.server_time is not None:
            middle = sent_at + timedelta(seconds=whole.seconds / 2)
            self.clock_offset_seconds = (answer.server_time - middle).total_seconds()
        return answer

    def _connection_pool(self) -> httpx.AsyncClient:
        timeout = httpx.Timeout(
            self._policy.read_timeout_seconds, connect=self._policy.connect_timeout_seconds
        )
        headers = {
            "Accept": "application/json",
            "Accept-Encoding": "gzip",
            "Content-Type": "application/json",
            "User-Agent": f"runmetrics/{version('runmetrics')}",
            **self.endpoint.authorization,
        }
        # Of plain loopback no proxy is asked: the key would leave the machine in the clear. And
        # there is no TLS: loading certificates takes 0.1 s.
        plain = self.endpoint.on_loopback and self.endpoint.graphql_url.startswith("http:")
        try:
            return httpx.AsyncClient(
                headers=headers,
                timeout=timeout,
                follow_redirects=False,
                proxy=None if plain else proxy_for(self.endpoint.graphql_url),
                trust_env=False,
                verify=False if plain else new_tls(),
            )
        except (ValueError, ImportError, httpx.InvalidURL):
            names = proxy_variables("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY")
            raise UnusableConnection(
                f"the proxy settings cannot be used ({names})",
                "write a proxy as http://HOST:PORT",
            ) from None


def _body(document: str, variables: Mapping[str, Any]) -> bytes:
    return json.dumps({"query": document, "variables": dict(variables)}).encode()
