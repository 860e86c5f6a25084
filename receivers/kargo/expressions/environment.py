"""What an expression of a generic receiver can name."""

from collections.abc import Mapping, Sequence

from receivers.kargo import urls
from receivers.kargo.expressions.values import NoStrings, Strings


def of_request(
    *,
    body: object,
    headers: Mapping[str, Sequence[str]],
    query: Mapping[str, Sequence[str]],
    parameters: Mapping[str, object],
) -> dict[str, object]:
    """The variables and functions of one action for one request.

    ``body`` is a JSON value as :func:`receivers.kargo.expressions.reading.json_value` reads it, with every number a
    float, or None. The names of ``headers`` are in lower case. ``parameters`` are the action's, evaluated.
    """
    request = {
        "body": body,
        "header": lambda name: next(iter(headers.get(name.lower(), ())), ""),
        "headers": lambda name: _listed(headers.get(name.lower(), ())),
        "params": lambda name: next(iter(query.get(name, ())), ""),
    }
    return {
        "request": request,
        "params": dict(parameters),
        "normalizeGit": urls.normalise_git,
        "normalizeImage": urls.normalise_image,
        "normalizeChart": urls.normalise_chart,
    }


def _listed(values: Sequence[str]) -> list[object]:
    """Values as Go has them: where there is none, the list is nil too."""
    return Strings(values) if values else NoStrings()
