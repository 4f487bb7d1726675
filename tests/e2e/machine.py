"""A machine with a complete systemd, in namespaces of its own, and a user on it who has cidx.

`boot.sh` says how nothing outside changes. What is in there can be looked at from here, without entering: processes
have numbers on both sides, and `Machine.root` is the machine's `/`.
"""

import contextlib
import email
import importlib.metadata
import importlib.util
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).parents[2]

# Whatever a command, a boot or a change of state may take before the test is given up; the promises are shorter.
PATIENCE_S = 60.0
OLDEST_SYSTEMD = 250
PROGRAMS = (
    "unshare",
    "nsenter",
    "setpriv",
    "mount",
    "systemctl",
    "loginctl",
    "journalctl",
    "dbus-daemon",
    "git",
)

# What a machine without hardware and network doesn't need, or must not do because the kernel is everybody's.
MASKED = """
    apparmor.service auditd.service console-setup.service cron.service dev-hugepages.mount dev-mqueue.mount
    getty.target keyboard-setup.service kmod-static-nodes.service kmod.service ldconfig.service modprobe@.service
    networking.service proc-sys-fs-binfmt_misc.automount procps.service sys-fs-fuse-connections.mount
    sys-kernel-config.mount sys-kernel-debug.mount sys-kernel-tracing.mount systemd-ask-password-console.path
    systemd-ask-password-wall.path systemd-binfmt.service systemd-boot-system-token.service
    systemd-firstboot.service systemd-hwdb-update.service systemd-journal-catalog-update.service
    systemd-journald-audit.socket
    systemd-machine-id-commit.service systemd-modules-load.service systemd-network-generator.service
    systemd-networkd.service systemd-pcrphase-sysinit.service systemd-pcrphase.service systemd-pstore.service
    systemd-random-seed.service systemd-remount-fs.service systemd-resolved.service systemd-sysctl.service
    systemd-sysusers.service systemd-timesyncd.service systemd-tmpfiles-clean.timer
    systemd-tmpfiles-setup-dev.service systemd-udev-trigger.service systemd-udevd-control.socket
    systemd-udevd-kernel.socket systemd-udevd.service systemd-update-done.service systemd-update-utmp.service
"""

TARGET = """\
[Unit]
Description=A machine for tests
Requires=basic.target dbus.socket systemd-logind.service systemd-user-sessions.service
After=basic.target dbus.socket systemd-logind.service systemd-user-sessions.service
AllowIsolate=yes
"""


def why_impossible() -> str | None:
    """Why no machine can be booted here; None where one can."""
    if sys.platform != "linux":
        return f"systemd is Linux's, and this is {sys.platform}"
    if os.geteuid() != 0:
        return "namespaces with a systemd in them are made by root only"
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if missing:
        return f"not installed: {', '.join(missing)}"
    version = re.match(r"systemd (\d+)", _output("systemctl", "--version"))
    if version is None or int(version[1]) < OLDEST_SYSTEMD:
        return f"systemd {OLDEST_SYSTEMD} or newer is needed"
    for what, package, patterns in (
        ("a bus for every user", "dbus-user-session", ("usr/lib/systemd/user/dbus.socket",)),
        (
            "sessions for users",
            "libpam-systemd",
            ("lib/*/security/pam_systemd.so", "lib*/security/pam_systemd.so"),
        ),
    ):
        if not any(found for pattern in patterns for found in Path("/").glob(pattern)):
            return f"{what} is missing (Debian: {package})"
    tried = subprocess.run(
        ["unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--cgroup", "--uts", "--ipc", "--net",
         "sh", "-c", "mount -t cgroup2 cgroup2 /mnt && mount -t tmpfs tmpfs /mnt && mknod /mnt/null c 1 3"],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if tried.returncode != 0:
        return f"namespaces can't be made here: {tried.stderr.strip()}"
    return None


@dataclass(frozen=True, slots=True)
class Answer:
    """How a command ended, and after how long."""

    code: int
    out: str
    err: str
    took_s: float

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Machine:
    """A systemd that can be booted, entered, rebooted and shut down; its folders lie in `base`."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self._cgroup = ""
        self._unshare: subprocess.Popen[bytes] | None = None
        self._boots = 0
        self.pid = 0
        self.users: dict[str, User] = {}
        for folder in ("etc", "var/log/journal", "var/lib/systemd/linger", "var/tmp", "home", "dev", "mnt"):
            (base / folder).mkdir(parents=True)
        (base / "var/run").symlink_to("/run")
        (base / "var/tmp").chmod(0o1777)
        self._furnish()

    def _furnish(self) -> None:
        """Fill /etc: the host's, without what it enables."""
        etc = self.base / "etc"
        subprocess.run(["cp", "--archive", "/etc/.", etc], check=True)
        for place in ("systemd/system", "systemd/user", "init.d", *(f"rc{level}.d" for level in "0123456S")):
            shutil.rmtree(etc / place, ignore_errors=True)
        for name in ("fstab", "crypttab", "environment"):
            (etc / name).write_text("")
        (etc / "hostname").write_text("cidx-test\n")
        (etc / "machine-id").write_text(os.urandom(16).hex() + "\n")
        units = etc / "systemd/system"
        units.mkdir()
        for unit in MASKED.split():
            (units / unit).symlink_to("/dev/null")
        (units / "default.target").write_text(TARGET)
        configuration = etc / "systemd/journald.conf.d"
        configuration.mkdir(exist_ok=True)
        (configuration / "test.conf").write_text("[Journal]\nStorage=persistent\nRateLimitBurst=0\n")
        configuration = etc / "systemd/logind.conf.d"
        configuration.mkdir(exist_ok=True)
        # As soon as the last session ends, not ten seconds later.
        (configuration / "test.conf").write_text("[Login]\nUserStopDelaySec=0\nKillUserProcesses=yes\n")

    # Its life

    def boot(self) -> None:
        """Start it, and return before it is up: `wait_until_running` waits."""
        assert self._unshare is None
        self._boots += 1
        self._cgroup = f"cidx-test-{os.getpid()}-{self._boots}"
        python = Path(sys.base_prefix).resolve()
        with (self.base / "boot.log").open("ab") as log:
            self._unshare = subprocess.Popen(
                # It must not outlive us, however we end.
                ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--propagation", "private",
                 "sh", Path(__file__).with_name("boot.sh"), "enter", self.base, self._cgroup, python],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    def wait_until_running(self) -> None:
        wait_for(self._find_pid, what="the first process")
        wait_for(lambda: (self.root / "run/systemd/private").exists(), what="systemd to listen")
        state = self.run("systemctl", "is-system-running", "--wait")
        assert state.out.strip() == "running", state.out + self.run("systemctl", "--failed").out

    def _find_pid(self) -> bool:
        assert self._unshare is not None
        if self._unshare.poll() is not None:
            raise AssertionError("no boot:\n" + (self.base / "boot.log").read_text())
        children = Path(f"/proc/{self._unshare.pid}/task/{self._unshare.pid}/children").read_text().split()
        self.pid = next((int(pid) for pid in children if _command_of(pid) == "systemd"), 0)
        return bool(self.pid)

    def reboot(self) -> None:
        """As the user of a laptop does it: everything running ends, everything on disk stays."""
        self._end("reboot")
        self.boot()
        self.wait_until_running()

    def shut_down(self) -> None:
        """End it, whatever state it is in. Nothing that ran in there is left."""
        if self._unshare is not None:
            self._end("poweroff")

    def _end(self, verb: str) -> None:
        assert self._unshare is not None
        if self.pid and self._unshare.poll() is None:
            self.run("systemctl", "--no-block", verb)
        try:
            self._unshare.wait(timeout=PATIENCE_S / 2)
        except subprocess.TimeoutExpired:
            # --kill-child takes the first process along, and the kernel all the others.
            self._unshare.kill()
            self._unshare.wait()
        self._unshare = None
        self.pid = 0
        # Processes that were killed hold their cgroups a moment longer.
        wait_for(self._remove_cgroup, what="its processes to be gone")

    def _remove_cgroup(self) -> bool:
        remove = (
            'mount -t cgroup2 cgroup2 "$1"; [ ! -d "$1/$2" ] || find "$1/$2" -depth -type d -exec rmdir {} +'
        )
        done = subprocess.run(
            ["unshare", "--mount", "--propagation", "private",
             "sh", "-ec", remove, "sh", self.base / "mnt", self._cgroup],
            capture_output=True, check=False,
        )  # fmt: skip
        return done.returncode == 0

    # What can be done with it

    @property
    def root(self) -> Path:
        """The machine's `/`, for looking at files without entering."""
        return Path(f"/proc/{self.pid}/root")

    def run(self, *command: str, timeout_s: float = PATIENCE_S) -> Answer:
        """Run a command as root in there."""
        return self.enter(command, timeout_s=timeout_s)

    def enter(
        self,
        command: tuple[str, ...],
        *,
        uid: int = 0,
        directory: str = "/",
        environment: dict[str, str] | None = None,
        timeout_s: float = PATIENCE_S,
    ) -> Answer:
        began = time.monotonic()
        process = self.start(command, uid=uid, directory=directory, environment=environment)
        try:
            out, err = process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            out, err = process.communicate()
            raise AssertionError(
                f"{shlex.join(command)} still ran after {timeout_s} s:\n{out}{err}"
            ) from None
        return Answer(process.returncode, out, err, time.monotonic() - began)

    def start(
        self,
        command: tuple[str, ...],
        *,
        uid: int = 0,
        directory: str = "/",
        environment: dict[str, str] | None = None,
    ) -> "subprocess.Popen[str]":
        assert self.pid
        variables = {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "LANG": "C.UTF-8",
        }
        variables |= environment or {}
        return subprocess.Popen(
            ["nsenter", "--target", str(self.pid), "--mount", "--pid", "--cgroup", "--uts", "--ipc", "--net",
             f"--setuid={uid}", f"--setgid={uid}",
             "env", "-i", "-C", directory, *(f"{name}={value}" for name, value in variables.items()), *command],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            errors="surrogateescape", start_new_session=True,
        )  # fmt: skip

    def add_user(self, name: str) -> None:
        """A person with a home and a lingering manager; before the boot, as an installed machine has them."""
        etc = self.base / "etc"
        taken = {int(line.split(":")[2]) for line in (etc / "passwd").read_text().splitlines()}
        # Any id does that is a person's for systemd: the journal of others can't be read with `--user`.
        uid = next(uid for uid in range(20_000, 30_000) if uid not in taken)
        for file, line in (
            ("passwd", f"{name}:x:{uid}:{uid}::/home/{name}:/bin/sh"),
            ("group", f"{name}:x:{uid}:"),
            ("shadow", f"{name}:*:19000:0:99999:7:::"),
        ):
            with (etc / file).open("a") as stream:
                stream.write(line + "\n")
        home = self.base / "home" / name
        home.mkdir(mode=0o700)
        os.chown(home, uid, uid)
        (self.base / "var/lib/systemd/linger" / name).touch()
        self.users[name] = User(self, name, uid)


class User:
    """A person on the machine, and what they do in a shell."""

    def __init__(self, machine: Machine, name: str, uid: int) -> None:
        self.machine = machine
        self.name = name
        self.uid = uid
        self.home = f"/home/{name}"
        self.runtime = f"/run/user/{uid}"

    @property
    def home_outside(self) -> Path:
        """The home, from outside of the machine."""
        return self.machine.base / "home" / self.name

    @property
    def environment(self) -> dict[str, str]:
        return {
            "HOME": self.home,
            "USER": self.name,
            "LOGNAME": self.name,
            "SHELL": "/bin/sh",
            "PATH": f"{self.home}/.local/bin:/usr/local/bin:/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "XDG_RUNTIME_DIR": self.runtime,
            "DBUS_SESSION_BUS_ADDRESS": f"unix:path={self.runtime}/bus",
        }

    def run(
        self,
        *command: str,
        directory: str | None = None,
        **variables: str,
    ) -> Answer:
        return self.machine.enter(
            command,
            uid=self.uid,
            directory=directory or self.home,
            environment=self.environment | variables,
        )

    def done(self, *command: str, directory: str | None = None) -> str:
        """Run what has to work, and return what it said."""
        answer = self.run(*command, directory=directory)
        assert answer.code == 0, f"{shlex.join(command)}: {answer}"
        return answer.out

    def start(self, *command: str, directory: str | None = None) -> "subprocess.Popen[str]":
        return self.machine.start(
            command, uid=self.uid, directory=directory or self.home, environment=self.environment
        )

    def outside(self, path: str) -> Path:
        """A path of the machine as it is called outside."""
        return self.machine.root / path.lstrip("/")

    def write(self, path: str, content: str) -> None:
        """A file of the user's, and its folders."""
        file = self.home_outside / os.path.relpath(path, self.home)
        for folder in [*reversed(file.parents)]:
            if folder.is_relative_to(self.home_outside) and not folder.exists():
                folder.mkdir(exist_ok=True)
                os.chown(folder, self.uid, self.uid)
        file.write_text(content)
        os.chown(file, self.uid, self.uid)

    @contextlib.contextmanager
    def logged_in(self) -> Iterator[None]:
        """A session, as at a terminal; the manager comes with the first one."""
        # No `nsenter --setuid`: logging in is what root's programs do for a user.
        session = self.machine.start(("runuser", "--login", self.name, "--command", "exec sleep 1000"))
        try:
            self.wait_for_manager()
            yield
        finally:
            self.machine.run("loginctl", "terminate-user", self.name)
            session.communicate(timeout=PATIENCE_S)

    def wait_until_logged_out(self) -> None:
        wait_for(lambda: not self.outside(self.runtime).exists(), what="the runtime folder to go")

    def wait_for_manager(self) -> None:
        wait_for(lambda: self.outside(f"{self.runtime}/systemd/private").exists(), what="the user's manager")
        state = self.run("systemctl", "--user", "is-system-running", "--wait").out.strip()
        assert state == "running", self.run("systemctl", "--user", "--failed").out

    def units(self, *names: str, properties: str) -> dict[str, str]:
        """Properties of units by `unit suffix.name`, such as `service.ActiveState`."""
        shown = self.done("systemctl", "--user", "show", *names, "--property", "Id," + properties)
        found: dict[str, str] = {}
        for block in shown.strip().split("\n\n"):
            values = dict(line.split("=", 1) for line in block.splitlines())
            suffix = values["Id"].rpartition(".")[2]
            found |= {f"{suffix}.{name}": value for name, value in values.items()}
        return found


def _command_of(pid: str) -> str:
    """Of a process that may be gone by now: what it runs."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().rstrip("\n")
    except OSError:
        return ""


def wait_for(condition: Callable[[], object], *, what: str, timeout_s: float = PATIENCE_S) -> float:
    """Wait until something holds; returns how long it took."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < timeout_s, f"waited {timeout_s} s in vain for {what}"
        time.sleep(0.01)
    return time.monotonic() - began


def build_wheel(folder: Path, sources: Path) -> Path:
    """The wheel of a checkout, in a folder of its own."""
    folder.mkdir(exist_ok=True)
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder)]
    if importlib.util.find_spec("hatchling"):
        # Else pip makes an environment to build in, which takes longer than all the rest.
        build.append("--no-build-isolation")
    _call(*build, str(sources))
    [wheel] = folder.glob("*.whl")
    return wheel


def renamed(wheel: Path, version: str, folder: Path) -> Path:
    """The same wheel with another version."""
    was = wheel.name.split("-")[1]
    changed = folder / wheel.name.replace(was, version)
    with zipfile.ZipFile(wheel) as old, zipfile.ZipFile(changed, "w") as new:
        for info in old.infolist():
            content = old.read(info)
            info.filename = info.filename.replace(f"-{was}.", f"-{version}.")
            if info.filename.endswith(("/METADATA", "/RECORD", "cidx/api/versions.py")):
                content = content.replace(was.encode(), version.encode())
            new.writestr(info, content)
    return changed


def install(wheel: Path, user: User) -> None:
    """Put cidx where install.sh puts it, through pip, with the extra for the journal where that builds.

    What cidx depends on, and is installed here too, is copied before: pip only has to agree, which takes a fifth of the
    time. tests/e2e/test_install.py lets pip do it all.
    """
    _venv(user).parent.mkdir(parents=True)
    _call(sys.executable, "-m", "venv", "--without-pip", str(_venv(user)))
    with zipfile.ZipFile(wheel) as archive:
        [about] = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        requirements = email.message_from_bytes(archive.read(about)).get_all("Requires-Dist", [])
    [packages] = _venv(user).glob("lib/python*/site-packages")
    _copy_installed([required for required in requirements if "extra ==" not in required], packages)
    try:
        _pip_install(user, f"cidx-code-search[systemd] @ {wheel.as_uri()}")
    except AssertionError:
        _pip_install(user, f"cidx-code-search @ {wheel.as_uri()}")
    link = user.home_outside / ".local/bin/cidx"
    link.parent.mkdir()
    link.symlink_to(f"{user.home}/.local/share/cidx/venv/bin/cidx")
    _give(user)


def put_in_place(wheel: Path, user: User) -> None:
    """Replace the installed package, as an upgrade does."""
    _pip_install(user, "--no-deps", "--force-reinstall", str(wheel))
    _give(user)


def _copy_installed(requirements: list[str], packages: Path) -> None:
    """Copy the distributions that are required, and what they require, as far as they are installed here."""
    wanted, seen = list(requirements), set()
    while wanted:
        name = re.split(r"[^\w.-]", wanted.pop(), maxsplit=1)[0]
        if name in seen:
            continue
        seen.add(name)
        try:
            found = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        wanted += [required for required in found.requires or () if "extra ==" not in required]
        for file in found.files or ():
            if ".." not in file.parts:
                (packages / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(file.locate(), packages / file)


def _venv(user: User) -> Path:
    return user.home_outside / ".local/share/cidx/venv"


def _pip_install(user: User, *arguments: str) -> None:
    # Without --no-compile it takes three times as long.
    python = str(_venv(user) / "bin/python")
    _call(sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-compile", *arguments)


def _give(user: User) -> None:
    _call(
        "chown",
        "--recursive",
        "--no-dereference",
        f"{user.uid}:{user.uid}",
        str(user.home_outside / ".local"),
    )


def _call(*command: str) -> None:
    called = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=200
    )
    assert called.returncode == 0, f"{shlex.join(command)}:\n{called.stdout}{called.stderr}"


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout
