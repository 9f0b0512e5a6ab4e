"""Shapes of ids in addresses: what does not look like one is a 404 before any view runs."""

from chain.support.pasted_text import plain_address


class Id32:
    """A 32-byte id of the chain: 0x and 64 lower-case hex digits."""

    regex = "0x[0-9a-f]{64}"

    def to_python(self, value: str) -> str:
        """As it stands."""
        return value

    def to_url(self, value: str) -> str:
        """As it stands."""
        return value


class Address(Id32):
    """An Ethereum address: 0x and 40 hex digits, in EIP-55 capitals or in small letters alone."""

    regex = "0x[0-9a-fA-F]{40}"

    def to_python(self, value: str) -> str:
        """Return it in EIP-55 capitals. Raises ValueError, which is a 404."""
        return plain_address(value)


class RequestId(Id32):
    """A request's id: of the chain, or the UUID of a mailed one."""

    regex = "0x[0-9a-f]{64}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
