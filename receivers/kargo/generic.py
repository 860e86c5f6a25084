"""Kargo's generic receiver: actions whose conditions and targets are expressions of whoever configures them.

https://docs.kargo.io/user-guide/reference-docs/webhook-receivers/generic

Mended here: ``NotEquals``, several indices of one criterion, which all count, parameters, which may hold expressions,
and texts of a payload that look like numbers.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

import msgspec

from receivers import limits
from receivers.events import Event, Faulty, Ignored, Requirement, Selected, Selection, Target
from receivers.kargo.configs import LARGE, SENDER
from receivers.kargo.effort import Effort, TooMuch
from receivers.kargo.expressions import (
    Expression,
    ExpressionError,
    compile,  # noqa: A004 - named as in re
    environment,
    templates,
)
from receivers.text import clipped, printable

REFRESH, WAREHOUSE, SUBSCRIBED = "Refresh", "Warehouse", "subscribedURLs"
NOT_APPLICABLE = "Request did not match whenExpression"  # Kargo's words, as the others
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)  # for what no time plays a part in
_WHEN, _CRITERIA = "Error evaluating whenExpression", "Error evaluating targetSelectionCriteria"

# https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set
_LABEL_NAME = re.compile(
    r"(?:[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?/)?[A-Za-z0-9](?:[\w.-]{0,61}[A-Za-z0-9])?", re.ASCII
)
_LABEL_VALUE = re.compile(r"(?:[A-Za-z0-9](?:[\w.-]{0,61}[A-Za-z0-9])?)?", re.ASCII)


class MatchExpression(msgspec.Struct, omit_defaults=True):
    """What a label has to hold; the values are templates."""

    key: str = ""
    operator: str = ""
    values: list[str] = []


class LabelSelector(msgspec.Struct, rename="camel", omit_defaults=True):
    """Which labels; the values are templates."""

    match_labels: dict[str, str] = {}
    match_expressions: list[MatchExpression] = []


class MatchIndex(msgspec.Struct):
    """What an index has to hold; the value is a template."""

    key: str = ""
    operator: str = ""
    value: str = ""


class IndexSelector(msgspec.Struct, rename="camel", omit_defaults=True):
    """Which indices."""

    match_indices: list[MatchIndex] = []


class Criterion(msgspec.Struct, rename="camel"):
    """Which objects an action concerns: those that meet all of it."""

    kind: str = ""
    name: str | msgspec.UnsetType = msgspec.UNSET  # a template
    label_selector: LabelSelector = msgspec.field(default_factory=LabelSelector)
    index_selector: IndexSelector = msgspec.field(default_factory=IndexSelector)


class Action(msgspec.Struct, rename="camel"):
    """What is done, when, and to what."""

    action: str = ""
    when_expression: str = ""
    parameters: dict[str, str] = {}
    target_selection_criteria: list[Criterion] = []


class _Configuration(msgspec.Struct):
    actions: list[Action] = []


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What expressions see of a request."""

    body: object  # decoded JSON, whose numbers are floats; None: empty
    headers: Mapping[str, str]  # names in lower case
    query: Mapping[str, str]
    received_at: datetime


@lru_cache(maxsize=limits.CONFIGURATIONS_REMEMBERED)
def actions(configuration: bytes) -> tuple[Action, ...]:
    """The actions of a receiver's configuration. Raises ValueError for what is large, or not as Kargo's CRD has it."""
    if configuration == LARGE:
        raise ValueError(f"the receiver's actions are more than {limits.RECEIVER_CONFIGURATION} bytes of JSON")
    try:
        return tuple(msgspec.json.decode(configuration or b"{}", type=_Configuration).actions)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise ValueError("the receiver's actions cannot be read") from None


def sender(options: Mapping[str, str]) -> str | None:
    """Whose requests a receiver with these options takes in generic's place; None: it is generic itself."""
    return options.get(SENDER)


def sender_fault(configuration: bytes, options: Mapping[str, str]) -> str:
    """What is wrong with a configuration as that of a sender in generic's place; empty where nothing is.

    ``options`` are what was taken of its parameters. Raises ValueError as :func:`actions` does.
    """
    found = actions(configuration)
    if len(found) > 1:
        return "a receiver of a sender has one action"
    parameters = [parameter for action in found for parameter in action.parameters.items()]
    if any(value and options.get(name) != value for name, value in parameters):
        most = f"{limits.RECEIVER_OPTIONS}, of {limits.OBJECT_NAME} characters at most"
        return f"the parameters of a sender are no more than {most}"
    return ""


def act(configuration: bytes, request: Request) -> list[Event]:
    """What each action means, in their order: what it selects, that it does not apply, or what is wrong with it."""
    effort = Effort(limits.PROJECT_EFFORT)
    try:
        return [_act(each, request, effort) for each in actions(configuration)] or [
            Ignored("the receiver has no actions")
        ]
    except ValueError as unreadable:
        return [Faulty(str(unreadable))]


def result(action: Action, event: Event, targets: Sequence[tuple[Target, bool]]) -> Mapping[str, object]:
    """How an action ended, as Kargo's server tells it: ``targets`` are what it selected, and whether each was done."""
    done = sum(success for _, success in targets)
    told: dict[str, object] = {"action": action.action}
    if action.when_expression:
        told["whenExpression"] = action.when_expression
    if action.parameters:
        told["parameters"] = dict(sorted(action.parameters.items()))
    if action.target_selection_criteria:
        told["targetSelectionCriteria"] = [*map(_as_configured, action.target_selection_criteria)]
    match event:
        case Faulty(matched=matched):
            ended = {"matchedWhenExpression": matched, "result": "Error", "summary": _CRITERIA if matched else _WHEN}
        case Selected():
            outcome = "Success" if done == len(targets) else "PartialSuccess" if done else "Failure"
            ended = {
                "matchedWhenExpression": True,
                **({"selectedTargets": [_told(target, success) for target, success in targets]} if targets else {}),
                "result": outcome,
                "summary": f"Refreshed {done} of {len(targets)} selected resources",
            }
        case _:
            ended = {"matchedWhenExpression": False, "result": "NotApplicable", "summary": NOT_APPLICABLE}
    return told | ended


def selections(configuration: bytes) -> tuple[Selection, ...]:
    """Which Warehouses the actions may select, whatever is posted: what depends on it is taken to be met.

    Criteria that never select anything are left out, and so is a configuration that cannot be read.
    """
    try:
        found = actions(configuration)
    except ValueError:
        return ()
    criteria = (each for action in found if action.action == REFRESH for each in action.target_selection_criteria)
    possible = map(_at_most, criteria)
    return tuple(each for each in possible if each is not None)


def _at_most(criterion: Criterion) -> Selection | None:
    """What a criterion selects where its templates are left out; None for nothing."""
    literal = LabelSelector(
        match_labels={key: value for key, value in criterion.label_selector.match_labels.items() if _is_literal(value)},
        match_expressions=[
            each for each in criterion.label_selector.match_expressions if all(map(_is_literal, each.values))
        ],
    )
    indices = [each for each in criterion.index_selector.match_indices if _is_literal(each.value)]
    name = criterion.name if criterion.name and _is_literal(criterion.name) else msgspec.UNSET
    bare = Criterion(criterion.kind, name, literal, IndexSelector(indices))
    try:
        return _selection(bare, {}, Effort(limits.PROJECT_EFFORT), _EPOCH)
    except (ExpressionError, TooMuch):
        return None


def _is_literal(text: str | msgspec.UnsetType) -> bool:
    """Whether a template says the same of every request: there is no expression in it."""
    return isinstance(text, str) and "${" not in text


def faults(configuration: bytes) -> Iterator[str]:
    """What can be told to be wrong with a configuration without any request."""
    try:
        found = actions(configuration)
    except ValueError as unreadable:
        yield str(unreadable)
        return
    for position, action in enumerate(found):
        try:
            _when(action.when_expression)
        except ExpressionError as error:
            yield f"actions[{position}].whenExpression: {_shown(error)}"


def _as_configured(criterion: Criterion) -> object:
    labels = criterion.label_selector
    ordered = msgspec.structs.replace(labels, match_labels=dict(sorted(labels.match_labels.items())))
    name = criterion.name or msgspec.UNSET
    return msgspec.to_builtins(msgspec.structs.replace(criterion, name=name, label_selector=ordered))


def _told(target: Target, success: bool) -> Mapping[str, object]:
    return {"namespace": target.namespace, "name": target.name, "success": success}


def _act(action: Action, request: Request, effort: Effort) -> Event:
    try:
        parameters = _parameters(action.parameters, request, effort)
        known = _environment(request, parameters)
        if not _applies(action.when_expression, known, effort, request.received_at):
            return Ignored(NOT_APPLICABLE)
    except (ExpressionError, TooMuch) as error:
        return Faulty(f"{_WHEN}: {_shown(error)}")
    if action.action != REFRESH:
        return Faulty(f"action {_shown(action.action)} is none", matched=True)
    try:
        selections = tuple(
            _selection(each, known, effort, request.received_at) for each in action.target_selection_criteria
        )
    except (ExpressionError, TooMuch) as error:
        return Faulty(f"{_CRITERIA}: {_shown(error)}", matched=True)
    selected = Selected(selections=selections)
    if len(msgspec.json.encode(selected)) > limits.SELECTED:
        return Faulty(f"{_CRITERIA}: names, labels and URLs are longer than any, or very many", matched=True)
    return selected


def _applies(expression: str, known: Mapping[str, object], effort: Effort, now: datetime) -> bool:
    compiled = _when(expression)
    value = True if compiled is None else compiled.evaluate(known, _share(effort), now)
    if not isinstance(value, bool):
        raise ExpressionError("it is neither true nor false")
    return value


@lru_cache(maxsize=limits.CONFIGURATIONS_REMEMBERED)
def _when(expression: str) -> Expression | None:
    """None: it always applies."""
    return compile(expression) if expression else None


def _parameters(written: Mapping[str, str], request: Request, effort: Effort) -> Mapping[str, object]:
    known = _environment(request, {})
    now = request.received_at
    return {name: templates.evaluate(text, known, _share(effort), now) for name, text in written.items()}


def _environment(request: Request, parameters: Mapping[str, object]) -> Mapping[str, object]:
    """Of each header and each parameter of the query a host hands over one value."""
    return environment.of_request(
        body=request.body,
        headers={name: [value] for name, value in request.headers.items()},
        query={name: [value] for name, value in request.query.items()},
        parameters=parameters,
    )


def _selection(criterion: Criterion, known: Mapping[str, object], effort: Effort, now: datetime) -> Selection:
    if criterion.kind != WAREHOUSE:
        raise ExpressionError(f"kind {criterion.kind} cannot be selected")

    def text(template: str) -> str:
        return templates.text(template, known, _share(effort), now)

    labels = criterion.label_selector
    return Selection(
        name=None if criterion.name is msgspec.UNSET or not criterion.name else text(criterion.name),
        labels=(
            *(_label(key, "In", [text(value)]) for key, value in labels.match_labels.items()),
            *(_label(each.key, each.operator, [*map(text, each.values)]) for each in labels.match_expressions),
        ),
        subscribed_to=tuple(_index(each, text) for each in criterion.index_selector.match_indices),
    )


def _label(key: str, operator: str, values: list[str]) -> Requirement:
    if operator not in {"In", "NotIn", "Exists", "DoesNotExist"}:
        raise ExpressionError(f"label {key}: operator {operator} is none")
    if bool(values) != (operator in {"In", "NotIn"}):
        raise ExpressionError(f"label {key}: {operator} takes {'no values' if values else 'at least one value'}")
    if not _LABEL_NAME.fullmatch(key) or not all(map(_LABEL_VALUE.fullmatch, values)):
        raise ExpressionError(f"label {key}: its name or a value is none that Kubernetes accepts")
    return Requirement(key, operator, tuple(values))


def _index(index: MatchIndex, text: Callable[[str], str]) -> Requirement:
    if index.key != SUBSCRIBED:
        raise ExpressionError(f"Warehouses have no index {index.key}")
    if index.operator not in {"Equals", "NotEquals"}:
        raise ExpressionError(f"index {index.key}: operator {index.operator} is none")
    return Requirement(index.key, "In" if index.operator == "Equals" else "NotIn", (text(index.value),))


def _share(effort: Effort) -> Effort:
    return Effort(limits.EVALUATION_EFFORT, within=effort)


def _shown(what: object) -> str:
    return printable(clipped(str(what)))
