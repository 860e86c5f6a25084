"""What an expression of a generic receiver can name."""

import pytest

from receivers.kargo.effort import Effort
from receivers.kargo.expressions import compile, environment, reading  # noqa: A004

GIVEN = environment.of_request(
    body=reading.json_value('{"n": 5, "repo": "https://git.example.com/team/app.git"}', Effort(100)),
    headers={"x-event": ["push"], "accept": ["text/html", "*/*"]},
    query={"tag": ["v1", "v2"], "empty": []},
    parameters={"env": "prod"},
)


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        ("request.body.n == 5", True),
        ("request.header('X-Event')", "push"),
        ("request.header('none')", ""),
        ("request.headers('Accept')", ["text/html", "*/*"]),
        ("request.headers('none') == nil and len(request.headers('none')) == 0", True),
        ("request.params('tag')", "v1"),
        ("request.params('empty') + request.params('none')", ""),
        ("params.env", "prod"),
        ("params.none", None),
        ("normalizeGit(request.body.repo)", "https://git.example.com/team/app"),
        ("normalizeImage('docker.io/library/nginx')", "nginx"),
        ("normalizeChart('oci://Registry.example.com/app')", "registry.example.com/app"),
    ],
)
def test_an_expression_can_name(source: str, wanted: object) -> None:
    assert compile(source).evaluate(GIVEN, Effort(1_000)) == wanted
