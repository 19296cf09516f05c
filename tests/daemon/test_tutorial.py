"""The tutorial works as it is written, up to the alert that fires and ends."""

import json
import urllib.request

from twisted.trial.unittest import SynchronousTestCase

from docsite.tutorial import Tutorial, free_port
from tests.doubles.programs import PATIENCE, Folder, wait_until


class TutorialTests(SynchronousTestCase):
    """docs/tutorial.md, with the real restic and Prometheus."""

    def test_tutorial(self) -> None:
        """Each step does what the page says of it."""
        folder = Folder()
        self.addCleanup(folder.close)
        ports = free_port(), free_port()
        tutorial = Tutorial(folder, ports, hurry=True)
        tutorial.run("Make some backups")
        looked = tutorial.run("Look once")
        self.assertIn("/repository: ok\n", looked)
        self.assertRegex(looked, r'backup_days_age\{.*host="web-2".*\} 10\n')
        tutorial.start("Run the daemon")
        tutorial.run("Let Prometheus scrape it")
        tutorial.start("Let Prometheus scrape it")

        def late() -> list[str]:
            address = f"http://localhost:{ports[1]}/api/v1/alerts"
            with urllib.request.urlopen(address, timeout=PATIENCE) as response:
                found = json.load(response)["data"]["alerts"]
            overdue = [one for one in found if one["labels"]["alertname"] == "ResticBackupOverdue"]
            return [one["labels"]["host"] for one in overdue if one["state"] == "firing"]

        wait_until(lambda: late() != [])
        self.assertEqual(late(), ["web-2"])
        tutorial.run("Mend it")
        wait_until(lambda: late() == [])
