"""What can be raised. Each has a stable `code`, and `field` where one field is at fault.

```
SreError
├── InvalidOrder (ValueError)            the order is refused; nothing ran and nothing was written
│   ├── InvalidType (TypeError)          a field has a value of the wrong type
│   ├── InvalidInput                     the input violates the skill's schema
│   ├── InvalidSkill                     the package is no skill, or none that can run here
│   └── OrderConflict                    the order_id belongs to another order, or to one that is forgotten
├── OperatingError (RuntimeError)        the machine failed; the same call may work later
│   ├── SandboxUnavailable, StoreFailed, JournalError, OrderLost, ReceiptFailed, ClosedError, ForkedError
│   ├── SkillUnreadable (OSError)
│   │   ├── SkillNotFound (FileNotFoundError)
│   │   └── SkillNotPermitted (PermissionError)
│   └── DataFolderError (OSError)
│       └── DataFolderNotPermitted (PermissionError)
├── OrderTimeout (TimeoutError)          a stage called by itself reached its time limit
├── ServiceError                         the service refused a request
│   ├── ServiceUnavailable (OperatingError, ConnectionError)
│   ├── ServiceRefused (InvalidOrder)
│   └── ServiceConflict (OrderConflict)
├── BlobNotFound (FileNotFoundError), BlobTampered (ValueError), BlobTooLarge (ValueError)
└── InternalError (RuntimeError)         a bug of this package; please report it
```

A skill that fails is no exception: it is an `OrderResult` with the status `failed`.
"""

from __future__ import annotations


class SreError(Exception):
    """Everything this package raises on its own account."""

    code: str
    field: str | None

    def __init__(self, message: str, code: str = "unknown", field: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.field = field

    def __str__(self) -> str:
        return self.message

    def __reduce__(self) -> tuple[type, tuple[str, str, str | None]]:
        return type(self), (self.message, self.code, self.field)


class InvalidOrder(SreError, ValueError):
    """The order is refused; nothing ran and nothing was written."""


class InvalidType(InvalidOrder, TypeError):
    """A field has a value of the wrong type."""


class InvalidInput(InvalidOrder):
    """The input violates the skill's schema."""


class InvalidSkill(InvalidOrder):
    """The package is no skill, or none that can run here."""


class OrderConflict(InvalidOrder):
    """Another order was accepted under this `order_id`, or an order that `sre gc` has purged since (`order_forgotten`)."""


class OperatingError(SreError, RuntimeError):
    """The machine failed; the same call may work later."""


class SandboxUnavailable(OperatingError):
    """The sandbox could not start."""


class StoreFailed(OperatingError):
    """Bytes could not be stored or read."""


class JournalError(OperatingError):
    """The journal could not be written or read. The order, if it was accepted, is open."""


class OrderLost(JournalError):
    """Another worker took the order over while it ran here, and has no result yet."""


class ReceiptFailed(OperatingError):
    """A receipt could not be issued or read, or what it names is not all there any more. Asking again is safe."""


class ClosedError(OperatingError):
    """The interpreter is shutting down."""


class ForkedError(OperatingError):
    """The process was forked while orders were in flight."""


class SkillUnreadable(OperatingError, OSError):
    """The file system would not give the package."""


class SkillNotFound(SkillUnreadable, FileNotFoundError):
    """There is no package at this path."""


class SkillNotPermitted(SkillUnreadable, PermissionError):
    """The package may not be read."""


class DataFolderError(OperatingError, OSError):
    """The data folder cannot be used."""


class DataFolderNotPermitted(DataFolderError, PermissionError):
    """The data folder may not be written."""


class OrderTimeout(SreError, TimeoutError):
    """A stage that was called by itself reached its time limit. In an order that is the status `timeout`."""


class ServiceError(SreError):
    """The service refused a request. `code` is that of its problem document, `status` the one of HTTP, 0 if there was none."""

    status: int

    def __init__(self, message: str, code: str = "unknown", field: str | None = None, status: int = 0) -> None:
        super().__init__(message, code, field)
        self.status = status

    def __reduce__(self) -> tuple[type, tuple[str, str, str | None, int]]:  # type: ignore[override]
        return type(self), (self.message, self.code, self.field, self.status)


class ServiceUnavailable(ServiceError, OperatingError, ConnectionError):
    """The service cannot be reached, or asks to come back later."""


class ServiceRefused(ServiceError, InvalidOrder):
    """The service refused the order."""


class ServiceConflict(ServiceError, OrderConflict):
    """The service has another order under this `order_id`."""


class BlobNotFound(SreError, FileNotFoundError):
    """The store has no such bytes."""


class BlobTampered(SreError, ValueError):
    """The stored bytes are not those that were stored."""


class BlobTooLarge(SreError, ValueError):
    """The bytes are more than the store takes."""


class InternalError(SreError, RuntimeError):
    """A bug of this package; please report it."""
