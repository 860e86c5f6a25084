"""What Git hosts have in common beside commits: what stands for no commit, and the names of repositories."""


def both_there(before: str, after: str) -> bool:
    """Whether a ref was neither made nor deleted: its hashes before and after are those of commits."""
    return bool(commit(before) and commit(after))


def commit(claimed: str) -> str:
    """A commit's hash; empty for the zeros that stand for none, of whatever length."""
    return claimed if claimed.strip("0") else ""


def host(url: str) -> str:
    """The host of an HTTPS clone URL, with its port, for people: "git.example.com"."""
    return url.partition("://")[2].partition("/")[0].rpartition("@")[2]


def path(url: str) -> str:
    """The repository's path in it, for people: "team/app"."""
    return url.partition("://")[2].partition("/")[2].removesuffix(".git")
