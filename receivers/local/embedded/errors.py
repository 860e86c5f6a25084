"""Refusals, in the words of a Kubernetes API server."""

from http import HTTPStatus

from receivers.local.embedded.resources import Object, Resource


class ApiError(Exception):
    """A refused request. ``reason`` is the machine-readable word that clients decide by."""

    def __init__(self, status: HTTPStatus, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message

    def as_object(self) -> Object:
        """The answer's body."""
        return {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            "code": self.status,
        }


def bad_request(message: str) -> ApiError:
    return ApiError(HTTPStatus.BAD_REQUEST, "BadRequest", message)


def forbidden(message: str) -> ApiError:
    return ApiError(HTTPStatus.FORBIDDEN, "Forbidden", message)


def misdirected() -> ApiError:
    message = "the embedded API answers to addresses of this machine and to localhost alone"
    return ApiError(HTTPStatus.MISDIRECTED_REQUEST, "Misdirected", message)


def no_such_path() -> ApiError:
    return ApiError(HTTPStatus.NOT_FOUND, "NotFound", "the server could not find the requested resource")


def not_found(resource: Resource, name: str) -> ApiError:
    return ApiError(HTTPStatus.NOT_FOUND, "NotFound", f'{resource.qualified} "{name}" not found')


def already_exists(resource: Resource, name: str) -> ApiError:
    return ApiError(HTTPStatus.CONFLICT, "AlreadyExists", f'{resource.qualified} "{name}" already exists')


def conflict(resource: Resource, name: str) -> ApiError:
    message = f'Operation cannot be fulfilled on {resource.qualified} "{name}": the object has been modified'
    return ApiError(HTTPStatus.CONFLICT, "Conflict", message)


def invalid(resource: Resource, name: str, fault: str) -> ApiError:
    message = f'{resource.kind} "{name}" is invalid: {fault}'
    return ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, "Invalid", message)


def expired() -> ApiError:
    return ApiError(HTTPStatus.GONE, "Expired", "too old resource version")


def method_not_allowed() -> ApiError:
    message = "the server does not allow this method on the requested resource"
    return ApiError(HTTPStatus.METHOD_NOT_ALLOWED, "MethodNotAllowed", message)


def unsupported_media_type(accepted: str) -> ApiError:
    message = f"the body of the request was in an unknown format - accepted media types include: {accepted}"
    return ApiError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "UnsupportedMediaType", message)
