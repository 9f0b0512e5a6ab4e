"""The Content-Security-Policy of each kind of answer, as a set of directives: their order means nothing."""


def directives(policy: str) -> set[str]:
    """Return the directives of a policy."""
    return set(policy.split("; "))


PAGE = directives(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; "
    "manifest-src 'self'"
)
READER = directives(
    "sandbox allow-scripts; default-src 'none'; script-src http://testserver/static/ 'wasm-unsafe-eval'; "
    "worker-src blob:; style-src http://testserver/static/; img-src http://testserver/static/ data: blob:; "
    "font-src http://testserver/static/ data:; connect-src http://testserver/static/; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'self'"
)
FILE = directives("sandbox; default-src 'none'; frame-ancestors 'none'")
