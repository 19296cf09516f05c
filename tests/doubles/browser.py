"""A headless Chromium, driven by the DevTools protocol over two pipes."""

import base64
import json
import os
import shutil
import subprocess
from fcntl import F_DUPFD_CLOEXEC, fcntl
from pathlib import Path
from select import select
from signal import SIGKILL
from tempfile import mkdtemp
from time import monotonic
from typing import Any

from tests.doubles.tools import tool

# Seconds for one step of the browser on a busy machine.
PATIENCE = 30.0

_OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
    "--remote-debugging-pipe",
)


class BrowserError(Exception):
    """The browser refused a command, or a script has failed."""


class Browser:
    """One page of a browser. `close` ends it."""

    def __init__(self) -> None:
        self._profile = mkdtemp(prefix="chromium-")
        (from_us, self._write), (self._read, to_us) = os.pipe(), os.pipe()

        def as_three_and_four() -> None:
            # Out of the way first: one of them may be 3 or 4 already.
            source, target = (fcntl(one, F_DUPFD_CLOEXEC, 10) for one in (from_us, to_us))
            os.dup2(source, 3)
            os.dup2(target, 4)

        self._process = subprocess.Popen(
            [tool("chromium"), *_OPTIONS, f"--user-data-dir={self._profile}", "about:blank"],
            preexec_fn=as_three_and_four,
            close_fds=False,
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "HOME": self._profile},
        )
        os.close(from_us)
        os.close(to_us)
        self._buffer = b""
        self._number = 0
        self._session: str | None = None
        self._events: list[dict[str, Any]] = []
        target = self.command("Target.createTarget", url="about:blank")["targetId"]
        attached = self.command("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.command(f"{domain}.enable")

    def close(self) -> None:
        """End the browser."""
        # Its children too.
        os.killpg(self._process.pid, SIGKILL)
        self._process.wait()
        os.close(self._write)
        os.close(self._read)
        shutil.rmtree(self._profile, ignore_errors=True)

    def command(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send one command of the protocol; return its result."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        deadline = monotonic() + PATIENCE
        while True:
            answer = self._next(deadline)
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise BrowserError(f"{method}: {answer['error']}")
                result: dict[str, Any] = answer["result"]
                return result
            self._events.append(answer)

    def _next(self, deadline: float) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            ready, _, _ = select([self._read], [], [], max(0.0, deadline - monotonic()))
            data = os.read(self._read, 1 << 20) if ready else b""
            if not data:
                raise BrowserError("the browser has ended" if ready else "the browser is silent")
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\0")
        message: dict[str, Any] = json.loads(line)
        return message

    def _wait_for(self, event: str) -> None:
        deadline = monotonic() + PATIENCE
        while not any(one.get("method") == event for one in self._events):
            self._events.append(self._next(deadline))
        self._events = [one for one in self._events if one.get("method") != event]

    def open(self, address: str) -> None:
        """Load a page."""
        self._events = [one for one in self._events if one.get("method") != "Page.loadEventFired"]
        self.command("Page.navigate", url=address)
        self._wait_for("Page.loadEventFired")

    def loaded(self) -> None:
        """Wait until the page that a click or a key leads to is loaded."""
        self._wait_for("Page.loadEventFired")

    def complaints(self) -> list[str]:
        """Return what the console says, such as violations of the content policy."""
        texts = []
        for event in self._events:
            if event.get("method") == "Log.entryAdded":
                texts.append(event["params"]["entry"]["text"])
            if event.get("method") in ("Runtime.exceptionThrown", "Runtime.consoleAPICalled"):
                texts.append(json.dumps(event["params"]))
        return texts

    def requests(self) -> list[str]:
        """Return the addresses that were asked for."""
        return [
            event["params"]["request"]["url"]
            for event in self._events
            if event.get("method") == "Network.requestWillBeSent"
        ]

    def run(self, script: str) -> Any:
        """Return the value of an expression of JavaScript, awaited."""
        answer = self.command(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        if "exceptionDetails" in answer:
            raise BrowserError(str(answer["exceptionDetails"]))
        return answer["result"].get("value")

    def wait(self, condition: str) -> None:
        """Wait until an expression is true, which the page itself looks at again and again."""
        self.run(
            f"new Promise(done => {{ const look = () => ({condition})"
            " ? done() : setTimeout(look, 20); look(); })"
        )

    def look(
        self, width: int = 1280, height: int = 900, dark: bool = False, mobile: bool = False
    ) -> None:
        """Change the size of the window and the colours that the user prefers."""
        self.command(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=mobile,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        motion = {"name": "prefers-reduced-motion", "value": "reduce"}
        self.command("Emulation.setEmulatedMedia", features=[scheme, motion])

    def without_script(self, off: bool = True) -> None:
        """Switch the page's own scripts off, or on again."""
        self.command("Emulation.setScriptExecutionDisabled", value=off)

    def key(self, name: str, code: int, text: str = "", shift: bool = False) -> None:
        """Press a key and let it go."""
        pressed = {
            "key": name,
            "code": name,
            "windowsVirtualKeyCode": code,
            "modifiers": 8 if shift else 0,
        }
        self.command("Input.dispatchKeyEvent", type="keyDown", text=text, **pressed)
        self.command("Input.dispatchKeyEvent", type="keyUp", **pressed)

    def tab(self, back: bool = False) -> None:
        """Go to the next link or field."""
        self.key("Tab", 9, shift=back)

    def enter(self) -> None:
        """Follow the link or submit the form."""
        self.key("Enter", 13, "\r")

    def type(self, text: str) -> None:
        """Write into the field that has the focus."""
        for letter in text:
            self.key(letter, ord(letter.upper()), letter)

    def picture(self, path: Path, whole: bool = False) -> None:
        """Write a screenshot as PNG."""
        data = self.command("Page.captureScreenshot", captureBeyondViewport=whole)["data"]
        path.write_bytes(base64.b64decode(data))
