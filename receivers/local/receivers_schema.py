"""The JSON schema of ``RECEIVERS``: what an entry may say, sender by sender.

It is stricter than the service, which passes over keys that it does not know: in an editor those are faults.
"""

import functools
import operator
from typing import Annotated, Any, Literal

import msgspec

from receivers import limits
from receivers.events import Option, Provider
from receivers.kargo.generic import Action
from receivers.providers import GENERIC, PROVIDERS

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_LONG = f"[\\s\\S]{{{limits.SECRET_SHORTEST},}}"

type Text = Annotated[str, msgspec.Meta(min_length=1)]
type Secret = Annotated[
    str,
    msgspec.Meta(
        min_length=limits.SECRET_SHORTEST,
        description="Whoever knows it can compute the receiver's URL: openssl rand -hex 32.",
    ),
]
type PreviousSecret = Annotated[
    str, msgspec.Meta(pattern=f"^(?:{_LONG})?$", description="Accepted too, while a secret is rotated.")
]
type Project = Annotated[
    str, msgspec.Meta(description="Whose Warehouses it concerns; without one those of every project.")
]


def schema() -> dict[str, Any]:
    """The schema, whole."""
    title = "Receivers in the settings of Kargo Receivers: RECEIVERS, or the file that RECEIVERS_FILE names"
    return {"$schema": DIALECT, "title": title, **msgspec.json.schema(entries())}


def entries() -> Any:  # noqa: ANN401 - a type that is made here
    """The type of the list, of which the schema is."""
    return list[functools.reduce(operator.or_, map(_entry, PROVIDERS.values()))]  # type: ignore[misc]


def _entry(provider: Provider) -> Any:  # noqa: ANN401 - as above
    required = [(name, _option(provider.takes[name])) for name in provider.requires]
    optional = [
        (name, _option(each) | None, None) for name, each in provider.takes.items() if name not in provider.requires
    ]
    actions = [("actions", list[Action] | str | None, None)] if provider.name == GENERIC else []
    return msgspec.defstruct(
        provider.name,
        [
            ("name", Text),
            ("secret", Secret),
            *required,
            ("project", Project | None, None),
            ("previousSecret", PreviousSecret | None, None),
            *optional,
            *actions,
        ],
        tag_field="provider",
        tag=provider.name,
        forbid_unknown_fields=True,
    )


def _option(option: Option) -> Any:  # noqa: ANN401 - as above
    kind: Any = Literal[option.choices] if option.choices else Text
    return Annotated[kind, msgspec.Meta(description=option.about)]
