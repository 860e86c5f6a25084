"""References to Key Vault that Azure could not resolve: an app setting then holds the reference's own text.

https://learn.microsoft.com/azure/app-service/app-service-key-vault-references#troubleshoot-key-vault-references
"""

import re
from collections.abc import Mapping

_REFERENCE = re.compile(r"@Microsoft\.(KeyVault|AppConfiguration)\(", re.IGNORECASE)
FAULT = (
    "holds a reference that Azure could not resolve. See whether the app's identity may read the secret (Key Vault "
    "Secrets User), whether it exists, and whether the app may reach the vault; then have the references refreshed, as "
    "`make deploy` does"
)


def is_unresolved(text: str) -> bool:
    """Whether this is no value but the reference to one."""
    return _REFERENCE.match(text.strip()) is not None


def variables(environment: Mapping[str, str]) -> list[str]:
    """The names of all variables that hold one, whoever reads them."""
    return sorted(variable for variable, text in environment.items() if is_unresolved(text))
