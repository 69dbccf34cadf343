"""The official Datadog client's way to the network, bounded in time, size and place.

The client's own transport follows redirects with the key, retries by itself and cannot be cut
while an answer drips. This one is put in its place: one request to one origin, one answer of a
few KB, one total deadline.
"""

from collections.abc import Mapping
from typing import Any

from runmetrics.deadline import Deadline
from runmetrics.http import Answer, Request, send
from runmetrics.sinks.datadog.answers import is_acknowledged
from runmetrics.sinks.datadog.series import encode

# All that the official client is given to read: whatever else an answer holds cannot trouble it.
_ACKNOWLEDGEMENT = Answer(202, {"Content-Type": "application/json"}, b'{"errors":[]}')


class NotTaken(Exception):  # noqa: N818 - it is what happened; the sink says what it means
    """Anything but 202 with a JSON object without errors, which alone is a success."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


class Transport:
    """Stands in for `datadog_api_client.rest.RESTClientObject`; counts requests and bytes."""

    def __init__(self, deadline: Deadline, request_seconds: float) -> None:
        self._deadline = deadline
        self._request_seconds = request_seconds
        self.requests = 0
        self.bytes_sent = 0

    def request(
        self,
        _method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: Mapping[str, Any],
        **_client_options: Any,
    ) -> Answer:
        """Send once; raises NotTaken or NoAnswer."""
        content, _ = encode(body)
        self.requests += 1
        self.bytes_sent += len(content)
        request = Request(url, headers, content)
        answer = send(request, self._deadline, seconds=self._request_seconds)
        if not is_acknowledged(answer):
            raise NotTaken(answer)
        return _ACKNOWLEDGEMENT
