"""Reads commits: what a tree holds, what differs between two, what a file says.

All reading happens in a private bare repository in a temporary directory, which borrows the
checkout's objects where there is one and asks the server for what is missing. So the checkout is
never written, and neither its owner, nor its configuration, nor its hooks matter.
Never chooses a base and knows nothing about images.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import threading
from collections.abc import Callable, Iterable, Sequence
from types import TracebackType

from orient_deploy.errors import EnvironmentLacks, RemoteError
from orient_deploy.history.checkout import NEWEST_FIRST, Checkout
from orient_deploy.history.git import LOCAL_TIMEOUT_S, Git, GitFailed, end
from orient_deploy.history.model import SHORT, Change
from orient_deploy.history.remote import Answer, Remote
from orient_deploy.record import dataclass

TYPE_CHECKING = False  # typing's own would cost each start its import: 2 ms
if TYPE_CHECKING:
    from typing import TypeVar

    T = TypeVar("T")

FIRST_DEPTH = 64  # commits of history fetched where a merge base is looked for; doubled each time
LAST_DEPTH = 4096

# Names asked for at a time: so many ids fit into any pipe (Windows' hold 4 KiB), so git never waits
# for its answers to be read while we wait for it to take more names.
AT_ONCE = 60

SUBMODULE = "160000"


@dataclass(frozen=True)
class Want:
    """A commit to have: by id, by the ref the server has it under, or both."""

    commit: str = ""
    ref: str = ""


@dataclass(frozen=True, kw_only=True)
class Part:
    """The paths of a commit that matter: those named, and all below some folders."""

    paths: tuple[str, ...]
    below: tuple[str, ...] = ()


class Repository:
    """Commits of one repository, from its checkout or from its server.

    Paths are bytes decoded as UTF-8 with surrogateescape, in and out.
    """

    def __init__(
        self,
        git: Git,
        checkout: Checkout | None = None,
        remote: Remote | None = None,
        *,
        temporary: str = "",
        object_format: str = "sha1",
    ) -> None:
        self.git = git
        self.checkout = checkout
        self.remote = remote
        self.lost: dict[str, str] = {}  # ids and refs that cannot be had, with a clause why
        self.gone: set[str] = set()  # those among them of which the server says so
        self._commits: dict[str, tuple[str, tuple[str, ...]]] = {}
        self._objects: _Objects | None = None
        self.offline = ""  # why the server is not asked, or not again
        self._no_ids = False
        self._no_filter = False
        self._fetched: set[str] = set()  # ids and refs, without their blobs
        self._format = checkout.object_format if checkout else object_format
        self._outputs = 0
        self._held: tuple[str, bytes] = ("", b"")  # a commit, and all that it holds
        self.directory = ""
        try:
            if not temporary:
                import tempfile

                temporary = tempfile.gettempdir()
            self.directory = os.path.join(
                os.path.abspath(temporary), f"orient-history-{os.urandom(8).hex()}"
            )
            self._git_dir = f"--git-dir={self.directory}"
            self._lay_out()
        except OSError as error:
            with contextlib.suppress(OSError):
                remove_tree(self.directory)
            raise EnvironmentLacks(
                f"the temporary directory {temporary or 'of this machine'} cannot be used",
                error.strerror or str(error),
                "Point RUNNER_TEMP at a directory that can be written, with some space left",
            ) from None

    def __enter__(self) -> Repository:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End what runs and remove the private repository."""
        self._end_objects()
        self.git.close()
        with contextlib.suppress(OSError):  # the answer stands; the runner empties its RUNNER_TEMP
            remove_tree(self.directory)

    # --- what a commit holds

    def has(self, commit: str) -> bool:
        """Whether the commit can be read now, without asking the server."""
        return self._commit(commit) is not None

    def commit(self, name: str) -> str:
        """The full id of the commit that an id, short id or tag object's id stands for, or ''."""
        found = self._commit(name)
        return found[0] if found else ""

    def parents(self, commit: str) -> tuple[str, ...]:
        """The parents as the commit itself names them: also where a shallow clone ends.

        Raises KeyError when the commit is not here.
        """
        found = self._commit(commit)
        if found is None:
            raise KeyError(commit)
        return found[1]

    def compare(self, base: str, head: str) -> tuple[tuple[Change, ...], bytes]:
        """What changed from base to head, and all that the head holds: read at the same time.

        The first by path in byte order, and empty without a base (''). The second is what
        `git ls-tree -r -z` prints.
        """
        if self._held[0] == head:
            return self.changes(base, head) if base else (), self._held[1]
        changes, (entries,) = self._compare(base, head, [_entries(head)])
        return changes, entries

    def compare_part(
        self, base: str, head: str, part: Part
    ) -> tuple[tuple[Change, ...], dict[str, str]]:
        """As `compare`, with a part of what the head holds: of a large tree that takes a tenth of
        the time.

        For each path what git says of it: '100644 blob <id>', '040000 tree <id>' of a folder that
        was named, or lies above what was.
        """
        changes, outputs = self._compare(base, head, _entries_of(part, head))
        return changes, dict(map(_path_first, b"".join(outputs).split(b"\0")[:-1]))

    def changes(self, base: str, head: str) -> tuple[Change, ...]:
        """What changed from base to head, by path in byte order."""
        return self._compare(base, head, [])[0]

    def _compare(
        self, base: str, head: str, asked: Sequence[Sequence[str]]
    ) -> tuple[tuple[Change, ...], tuple[bytes, ...]]:
        commands = [*asked, *([_changes(base, head)] if base else [])]

        def read() -> tuple[tuple[Change, ...], tuple[bytes, ...]]:
            outputs = self._read(*commands)
            changes = _parse_changes(outputs[-1]) if base else ()
            return changes, outputs[: len(asked)]

        return self._or_without_checkout((base, head) if base else (head,), read)

    def listing(self, commit: str) -> tuple[str, ...]:
        """Every path of the commit, in byte order: files, symlinks and submodules."""
        return self._or_without_checkout(
            (commit,), lambda: _parse_listing(*self._read(_listing(commit)))
        )

    def contents(
        self, oids: Iterable[str], *, along: Callable[[], Iterable[str]] | None = None
    ) -> dict[str, bytes]:
        """The bytes of blobs by their ids; what is missing here is fetched at once.

        One that cannot be had is left out, and `offline` may say why. `along` is asked for others
        that a fetch had better bring as well.
        """
        wanted = sorted(set(oids))
        found = dict(zip(wanted, self._ask(wanted), strict=True))
        missing = [oid for oid in wanted if found[oid] is None]
        if missing:
            self._fetch_blobs(sorted({*missing, *(along() if along else ())}))
            found.update(zip(missing, self._ask(missing), strict=True))
        return {oid: content[1] for oid, content in found.items() if content is not None}

    def read(
        self, commit: str, path: str, *, along: Callable[[bytes], Iterable[str]] | None = None
    ) -> bytes | None:
        """The bytes of a file of a commit (of a symlink: where it points); None: no such file.

        Without a checkout `along` chooses the ids of others that are fetched with it, from all that
        the commit holds, as `git ls-tree -r -z` prints it.

        Raises:
            RemoteError: it exists, but its content cannot be had.
        """
        more = None
        if along is not None and self.checkout is None:
            choose = along

            def more() -> Iterable[str]:
                self._held = commit, self.compare("", commit)[1]  # soon asked for again
                return choose(self._held[1])

        return self._read_many(commit, [path], more)[path]

    def read_many(self, commit: str, paths: Iterable[str]) -> dict[str, bytes | None]:
        """Like `read` for several; what is missing here is fetched at once."""
        return self._read_many(commit, paths, None)

    def _read_many(
        self, commit: str, paths: Iterable[str], along: Callable[[], Iterable[str]] | None
    ) -> dict[str, bytes | None]:
        wanted = dict.fromkeys(paths)
        found = self._or_without_checkout(
            (commit,), lambda: {path: self._blob_id(commit, path) for path in wanted}
        )
        contents = self.contents((oid for oid in found.values() if oid), along=along)
        for path, oid in found.items():
            if oid and oid not in contents:
                raise RemoteError(
                    f"the content of {path!r} at {commit[:SHORT]} cannot be had",
                    self.offline or "it is neither in the checkout nor on the server",
                    "Check out the repository in an earlier step, or give a token that can read it",
                )
        return {path: contents.get(oid) for path, oid in found.items()}

    # --- history

    def obtain(self, *wants: Want, depth: int = 1) -> None:
        """Make commits readable, asking the server at most for those that are not.

        What cannot be had is in `lost` afterwards; that is no error.
        """
        missing = [w for w in wants if w.commit not in self.lost and not self.has(w.commit)]
        while missing and not self._no_ids:
            if self._unreachable(w.commit for w in missing):
                return
            answer = self._fetch([w.commit for w in missing], depth)
            if answer.kind == "done":
                missing = [w for w in missing if not self.has(w.commit)]
                self._lose((w.commit for w in missing), "the server did not send it")
                return
            if answer.kind == "gone":
                asked = [w.commit for w in missing]
                lost = [answer.about] if answer.about in asked else asked
                self._lose(lost, answer.clause)
                self.gone.update(lost)
                missing = [w for w in missing if w.commit not in lost]
            elif answer.kind == "no-ids":
                self._no_ids = True
            else:
                self.offline = answer.clause
        if not missing or self._unreachable(w.commit for w in missing):
            return
        self._fetch_plainly(w.ref for w in missing)
        missing = [w for w in missing if not self.has(w.commit)]
        clause = self.offline or "the server hands out no commits by their id"
        self._lose((w.commit for w in missing), clause)

    def merge_base(self, one: str, other: str) -> str | None:
        """The best common ancestor in the history that is here, or None."""
        if not (self.has(one) and self.has(other)):
            return None
        done = self.git.run([self._git_dir, "merge-base", one, other])
        # Exit code 1: none. 128: the history of a blobless or treeless clone has a hole.
        return done.out.decode("ascii").strip() or None if done.code == 0 else None

    def fork_point(self, one: Want, other: Want) -> tuple[str | None, str]:
        """The best common ancestor of two commits, fetching history until there is one.

        Returns it with '', or None with a clause that says why there is none.
        """
        depth = 0 if self.checkout and not self._is_shallow else FIRST_DEPTH
        while True:
            first, second = self._named(one), self._named(other)
            if first and second:
                found = self.merge_base(first, second)
                if found:
                    return found, ""
                if not self._is_shallow:
                    return None, "the two have no common history"
            if depth > LAST_DEPTH:
                return None, f"no common commit within {LAST_DEPTH} commits of history"
            clause = self._fetch_history((one, other), depth)
            if clause:
                # An id that is gone may have been rebased away; the ref has what came instead.
                by_name = [
                    Want(ref=want.ref) if want.commit in self.gone and want.ref else want
                    for want in (one, other)
                ]
                if by_name == [one, other]:
                    return None, clause
                one, other = by_name
                continue
            one, other = (Want(self._named(want), want.ref) for want in (one, other))
            if not (one.commit and other.commit):
                return None, "the server did not send it"
            depth = depth * 2 or FIRST_DEPTH

    def ancestor(self, commit: str, steps: str) -> str:
        """The commit that `steps` like ~1 or ^2~3 lead to, fetching history, or ''."""
        depth = FIRST_DEPTH
        while True:
            (answer,) = self._ask([f"{commit}{steps}^{{commit}}"])
            if answer:
                return answer[0]
            if not self._is_shallow or depth > LAST_DEPTH:
                return ""
            if self._fetch_history((Want(commit),), depth):
                return ""
            depth *= 2

    def server_tags(self) -> tuple[dict[str, str], str]:
        """The server's tags and the commits they stand for, newest version first, or why not."""
        if self._unreachable(()):
            return {}, self.offline
        assert self.remote is not None
        arguments = [*NEWEST_FIRST, "ls-remote", "--tags", "--sort=-version:refname"]
        answer = self.remote.ask(self.git, [self._git_dir, *arguments, self.remote.url])
        if answer.kind != "done":
            self.offline = answer.clause
            return {}, answer.clause
        tags: dict[str, str] = {}
        peeled: dict[str, str] = {}
        for oid, ref in _parse_refs(answer.out):
            name = ref[len("refs/tags/") :]
            if name.endswith("^{}"):
                peeled[name[:-3]] = oid
            else:
                tags[name] = oid
        return {name: peeled.get(name, oid) for name, oid in tags.items()}, ""

    def server_refs(self, *refs: str) -> tuple[dict[str, str], str]:
        """The ids of those of the full ref names that the server has, or why it cannot be asked."""
        if self._unreachable(()):
            return {}, self.offline
        assert self.remote is not None
        answer = self.remote.ask(self.git, [self._git_dir, "ls-remote", self.remote.url, *refs])
        if answer.kind != "done":
            self.offline = answer.clause
            return {}, answer.clause
        return {ref: oid for oid, ref in _parse_refs(answer.out) if ref in refs}, ""

    # --- the private repository

    def _lay_out(self) -> None:
        os.mkdir(self.directory, 0o700)
        for name in ("objects", "objects/info", "refs", "refs/orient"):
            os.mkdir(os.path.join(self.directory, name))
        self._write("HEAD", b"ref: refs/heads/none\n")
        self._write_config()
        if self.checkout is None:
            return
        self._write("objects/info/alternates", alternates_line(self.checkout.objects))
        with contextlib.suppress(FileNotFoundError), open(self.checkout.shallow_file, "rb") as file:
            self._write("shallow", file.read())

    def _write_config(self) -> None:
        """Also after each fetch: `--filter` leaves a promisor, which would invite lazy fetches."""
        sha256 = self._format == "sha256"
        lines = [
            "[core]",
            f"repositoryformatversion = {1 if sha256 else 0}",
            "bare = true",
            "fsync = none",  # it lives for seconds
            "hooksPath = /dev/null",  # a global one would run with the token in its environment
            "alternateRefsCommand = true",  # the command: it names no commits of the checkout
            "[gc]",
            "auto = 0",
            "[maintenance]",
            "auto = false",
        ]
        if sha256:
            lines += ["[extensions]", "objectFormat = sha256"]
        self._write("config", "\n".join([*lines, ""]).encode())

    def _write(self, name: str, content: bytes) -> None:
        with open(os.path.join(self.directory, name), "wb") as file:
            file.write(content)

    @property
    def _is_shallow(self) -> bool:
        return os.path.exists(os.path.join(self.directory, "shallow"))

    def _or_without_checkout(self, commits: Sequence[str], read: Callable[[], T]) -> T:
        """`read`, and once more from the server alone when the checkout lacks trees it should have.

        A treeless clone (--filter=tree:0) has all commits and hardly a tree.
        """
        try:
            return read()
        except GitFailed:
            if self.checkout is None or self.remote is None:
                raise
            checkout = self.checkout
            self._forget_checkout()
            self.obtain(*(Want(commit) for commit in commits))
            if not all(self.has(commit) for commit in commits):
                # What it does have may answer another question: the head's files, without the base.
                self.checkout = checkout
                self._start_anew()
                raise
            return read()

    def _forget_checkout(self) -> None:
        """What was fetched so far may lean on what the checkout was thought to have."""
        self.checkout = None
        self._start_anew()

    def _start_anew(self) -> None:
        self._end_objects()
        self._commits.clear()
        self._fetched.clear()
        remove_tree(self.directory)
        self._lay_out()

    # --- reading

    def _read(self, *commands: Sequence[str]) -> tuple[bytes, ...]:
        """The outputs of git commands that run at the same time.

        They write to files: no pipe can fill up while another one is read.
        """
        children: list[subprocess.Popen[bytes]] = []
        with contextlib.ExitStack() as stack:
            files = []
            for command in commands:
                self._outputs += 1
                name = os.path.join(self.directory, f"output-{self._outputs}")
                file = stack.enter_context(open(name, "w+b", buffering=0))
                stack.callback(os.unlink, name)
                files.append(file)
                child = self.git.start([self._git_dir, *command], stdout=file)
                children.append(child)
                stack.callback(end, child)
            outputs = []
            for command, child, file in zip(commands, children, files, strict=True):
                complaint = self.git.finish(child, command[0])
                if child.returncode:
                    raise GitFailed(
                        f"git {command[0]} failed",
                        complaint.decode("utf-8", "replace").strip()[:500]
                        or f"exit code {child.returncode}",
                        "Look at the repository with `git fsck`, or check out again",
                    )
                file.seek(0)
                outputs.append(file.read())
        return tuple(outputs)

    def _commit(self, name: str) -> tuple[str, tuple[str, ...]] | None:
        known = self._commits.get(name)
        if known is None and re.fullmatch(r"[0-9a-f]{4,64}|refs/[^\n]+", name):
            (answer,) = self._ask([f"{name}^{{commit}}"])
            if answer is not None:
                header = answer[1].partition(b"\n\n")[0]
                parents = re.findall(rb"^parent ([0-9a-f]+)$", header, re.M)
                known = (answer[0], tuple(parent.decode() for parent in parents))
                self._commits[name] = known
        return known

    def _blob_id(self, commit: str, path: str) -> str:
        """The object id of a file, or '' when the commit has none (or a directory, or submodule).

        Walks the trees itself: names on cat-file's input cannot hold a newline.
        """
        oid, mode = f"{commit}^{{tree}}", b"40000"
        for name in path.encode("utf-8", "surrogateescape").split(b"/"):
            if mode not in (b"40000", b"040000"):
                return ""
            (tree,) = self._ask([oid])
            if tree is None:
                raise GitFailed(
                    f"a tree of {commit[:SHORT]} is missing",
                    "the clone holds commits without their trees",
                    "Check out with another filter, or give a token so that it can be fetched",
                )
            entry = _tree_entry(tree[1], name, 32 if self._format == "sha256" else 20)
            if entry is None:
                return ""
            mode, oid = entry
        return oid if mode.startswith((b"100", b"120")) else ""

    def _ask(self, names: Sequence[str]) -> list[tuple[str, bytes] | None]:
        if self._objects is None:
            self._objects = _Objects(self.git, self._git_dir)
        return self._objects.ask(names)

    def _end_objects(self) -> None:
        if self._objects is not None:
            self._objects.close()
            self._objects = None

    # --- fetching

    def _lose(self, names: Iterable[str], clause: str) -> None:
        for name in names:
            self.lost.setdefault(name, clause)

    def _unreachable(self, names: Iterable[str]) -> bool:
        """Whether there is no use in asking the server; `names` are lost then."""
        if self.remote is None and not self.offline:
            self.offline = "no server is known to ask for it"
        if self.offline:
            self._lose(names, self.offline)
        return bool(self.offline)

    def _named(self, want: Want) -> str:
        """The commit of a want if it is here."""
        if want.commit:
            return self.commit(want.commit)
        found = self.commit(f"refs/orient/by-name/{want.ref}")
        if not found and self.checkout and want.ref.startswith("refs/heads/"):
            branch = want.ref[len("refs/heads/") :]
            here = self.checkout.tips(self.git, f"refs/remotes/origin/{branch}", want.ref)
            found = here[0] or here[1]
        return found

    def _fetch(self, sources: Sequence[str], depth: int) -> Answer:
        """Fetch ids and refs with as little as possible: no blobs, and `depth` commits (0: all)."""
        for commit in {commit for commit, _ in self._commits.values()}:
            # What is here is offered to the server, which then leaves out the trees they share.
            self._write(f"refs/orient/{commit}", f"{commit}\n".encode())
        answer = self._fetch_once(sources, depth, filtered=not self._no_filter)
        if answer.kind == "no-filter":
            self._no_filter = True
            answer = self._fetch_once(sources, depth, filtered=False)
        if answer.kind == "done":
            self._fetched.update(sources)
        return answer

    def _fetch_history(self, wants: Sequence[Want], depth: int) -> str:
        """Fetch `depth` commits of history (0: all that is missing); why not, or ''."""
        if self._unreachable(()):
            return self.offline
        if not self._no_ids:
            answer = self._fetch([want.commit or want.ref for want in wants], depth)
            if answer.kind == "done":
                return ""
            if answer.kind == "gone":
                self._lose([answer.about], answer.clause)
                self.gone.add(answer.about)
            if answer.kind == "failed":
                self.offline = answer.clause
            if answer.kind != "no-ids":
                return answer.clause
            self._no_ids = True
        return self._fetch_plainly(want.ref for want in wants)

    def _fetch_plainly(self, refs: Iterable[str]) -> str:
        """Fetch refs by name with everything: for servers that know no better; why not, or ''."""
        sources = sorted(({ref for ref in refs if ref} | self._fetched) - self.lost.keys())
        if self._fetched:  # tips, by their ids: git refuses to add to commits that lack blobs
            self._start_anew()
        while sources:
            answer = self._fetch_once(sources, 0, filtered=False, unshallow=self._is_shallow)
            if answer.kind == "done":
                return ""
            if answer.kind != "no-ref" or answer.about not in sources:
                self.offline = answer.clause
                return answer.clause
            self._lose([answer.about], answer.clause)
            sources.remove(answer.about)
        return "the server hands out no commits by their id"

    def _fetch_once(
        self, sources: Sequence[str], depth: int, *, filtered: bool, unshallow: bool = False
    ) -> Answer:
        refspecs = [
            f"+{source}:refs/orient/{'by-name/' if source.startswith('refs/') else ''}{source}"
            for source in sources
        ]
        options = [f"--depth={depth}"] if depth else []
        if unshallow:
            options.append("--unshallow")
        if filtered:
            options.append("--filter=blob:none")
        return self._run_fetch(options, refspecs)

    def _fetch_blobs(self, oids: Sequence[str]) -> None:
        if self._unreachable(oids):
            return
        # With commits to offer, the server would leave out blobs that those commits reach.
        options = [] if self._no_filter else ["--filter=blob:none"]
        answer = self._run_fetch(options, oids, ["-c", "fetch.negotiationAlgorithm=noop"])
        if answer.kind == "no-ids" and self._fetched:
            self._no_ids = True
            self._fetch_plainly(())
        elif answer.kind != "done":
            self.offline = answer.clause

    def _run_fetch(
        self, options: Sequence[str], refspecs: Sequence[str], settings: Sequence[str] = ()
    ) -> Answer:
        assert self.remote is not None
        self._end_objects()  # it would not see what comes
        self._commits.clear()
        arguments = [
            self._git_dir,
            *settings,
            "fetch",
            "--stdin",
            "--quiet",
            "--no-tags",
            "--no-write-fetch-head",
            "--no-recurse-submodules",
            "--no-show-forced-updates",
            *options,
            self.remote.url,
        ]
        try:
            text = "".join(f"{refspec}\n" for refspec in refspecs)
            return self.remote.ask(self.git, arguments, text.encode("utf-8", "surrogateescape"))
        finally:
            self._write_config()


class _Objects:
    """One `git cat-file --batch` that answers until it is closed."""

    def __init__(self, git: Git, git_dir: str) -> None:
        self._git = git
        self._child = git.start(
            [git_dir, "cat-file", "--batch"], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL
        )

    def ask(self, names: Sequence[str]) -> list[tuple[str, bytes] | None]:
        """Id and content of each object, None for what is not here."""
        self._git.version()
        limit = threading.Timer(LOCAL_TIMEOUT_S, self._child.kill)
        limit.daemon = True
        limit.start()
        try:
            return self._ask([name.encode("utf-8", "surrogateescape") for name in names])
        except (OSError, ValueError, IndexError) as error:
            raise GitFailed(
                "git cat-file stopped answering",
                str(error) or "it ended",
                "Look at the repository with `git fsck`, or check out again",
            ) from None
        finally:
            limit.cancel()

    def _ask(self, names: Sequence[bytes]) -> list[tuple[str, bytes] | None]:
        stdin = self._child.stdin
        assert stdin is not None
        found: list[tuple[str, bytes] | None] = []
        while len(found) < len(names):
            some = names[len(found) : len(found) + AT_ONCE]
            stdin.write(b"".join([name + b"\n" for name in some]))
            stdin.flush()
            found += map(self._answer, some)
        return found

    def _answer(self, name: bytes) -> tuple[str, bytes] | None:
        stdout = self._child.stdout
        assert stdout is not None
        header = stdout.readline()
        if not header.endswith(b"\n"):
            raise OSError(f"it ended while asked for {name!r}")
        words = header.split()
        if header.startswith(name) and words[-1] in (b"missing", b"ambiguous"):
            return None
        size = int(words[2])
        content = stdout.read(size + 1)
        if len(content) != size + 1:
            raise OSError(f"it ended while it told of {name!r}")
        return words[0].decode("ascii"), content[:-1]

    def close(self) -> None:
        end(self._child)


def alternates_line(objects: str) -> bytes:
    """A line of objects/info/alternates, quoted as git quotes it where the path needs it."""
    path = os.fsencode(objects.replace(os.sep, "/"))
    if not re.search(rb'^["#]|[\x00-\x1f\x7f]', path):
        return path + b"\n"
    quoted = re.sub(rb'["\\]', rb"\\\g<0>", path)
    quoted = re.sub(rb"[\x00-\x1f\x7f]", lambda m: b"\\%03o" % m[0][0], quoted)
    return b'"' + quoted + b'"\n'


def remove_tree(directory: str) -> None:
    """Remove a directory with all it holds (shutil would import every compressor first)."""
    for folder, folders, files in os.walk(directory, topdown=False):
        for name in files:
            path = os.path.join(folder, name)
            try:
                os.unlink(path)
            except PermissionError:  # Windows: packs are read-only
                os.chmod(path, 0o600)
                os.unlink(path)
        for name in folders:
            os.rmdir(os.path.join(folder, name))
    with contextlib.suppress(FileNotFoundError):
        os.rmdir(directory)


def _changes(base: str, head: str) -> list[str]:
    options = ["-r", "-z", "--no-renames", "--ignore-submodules=none"]
    return ["diff-tree", *options, "--end-of-options", base, head]


def _entries(commit: str) -> list[str]:
    return ["ls-tree", "-r", "-z", commit]


def _entries_of(part: Part, commit: str) -> list[list[str]]:
    asked = []
    if part.paths:
        # -t, or a folder would go unmentioned when something below it is asked for too.
        asked.append(["ls-tree", "-t", "-z", commit, "--", *part.paths])
    if part.below:
        asked.append(["ls-tree", "-r", "-z", commit, "--", *part.below])
    return asked


def _path_first(row: bytes) -> tuple[str, str]:
    about, _, path = row.decode("utf-8", "surrogateescape").partition("\t")
    return path, about


def _listing(commit: str) -> list[str]:
    return ["ls-tree", "-r", "-z", "--name-only", commit]


def _parse_changes(out: bytes) -> tuple[Change, ...]:
    """Of ':100644 100644 <id> <id> M' and a path, again and again."""
    words = out.split(b"\0")
    changes = []
    for in_bytes, about in sorted(zip(words[1::2], words[0:-1:2], strict=True)):
        path = in_bytes.decode("utf-8", "surrogateescape")
        mode, _, oid, _, status = about[1:].decode("ascii").split(" ")
        kind = "commit" if mode == SUBMODULE else "blob"
        before = "" if status == "A" else f"{mode} {kind} {oid}\t{path}"
        changes.append(Change(path, status, before))  # type: ignore[arg-type]  # git prints no other letter
    return tuple(changes)


def _parse_listing(out: bytes) -> tuple[str, ...]:
    return tuple(out.decode("utf-8", "surrogateescape").split("\0")[:-1])


def _parse_refs(out: bytes) -> list[tuple[str, str]]:
    """Ids and names of refs; str.splitlines would cut names at U+2028 and the like."""
    rows = (line.partition("\t") for line in os.fsdecode(out).split("\n")[:-1])
    return [(oid, ref) for oid, _, ref in rows]


def _tree_entry(tree: bytes, wanted: bytes, id_size: int) -> tuple[bytes, str] | None:
    at = 0
    while at < len(tree):
        blank = tree.index(b" ", at)
        zero = tree.index(b"\0", blank)
        if tree[blank + 1 : zero] == wanted:
            return tree[at:blank], tree[zero + 1 : zero + 1 + id_size].hex()
        at = zero + 1 + id_size
    return None
