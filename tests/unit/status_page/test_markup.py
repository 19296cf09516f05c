"""Tests of the writer of HTML, and of the pictures in it."""

from twisted.trial.unittest import SynchronousTestCase
from twisted.web.template import Tag, tags

from restic_reporter.concurrency.cooperative import at_once
from restic_reporter.status_page.graphics import age_picture, days_picture
from restic_reporter.status_page.markup import Node, markup, written
from restic_reporter.status_page.strip import Day

TEXT = "<b> & \"double\" 'single' \u202e"
ESCAPED = "&lt;b&gt; &amp; &quot;double&quot; &#x27;single&#x27; \u202e"


class WriterTests(SynchronousTestCase):
    """Tests for the writer."""

    def test_escape(self) -> None:
        """Texts and attributes are escaped, wherever they are; written markup is not again."""
        some: Node = iter([TEXT])
        node = tags.p([TEXT, tags.b(TEXT, title=TEXT)], some, markup(tags.i(TEXT)))
        self.assertEqual(
            at_once(written(node)).decode(),
            f'<!DOCTYPE html>\n<p>{ESCAPED}<b title="{ESCAPED}">{ESCAPED}</b>{ESCAPED}'
            f"<i>{ESCAPED}</i></p>",
        )

    def test_void(self) -> None:
        """Elements without content have no end tag; others do, even empty ones."""
        node = [tags.input(name="q"), tags.script(src="a"), Tag("path")(d="M0 0")]
        self.assertEqual(
            markup(node), '<input name="q"><script src="a"></script><path d="M0 0"></path>'
        )

    def test_steps(self) -> None:
        """Each item of an iterator is a step, made only then."""
        made = []

        def rows() -> Node:
            for number in range(3):
                made.append(number)
                yield tags.tr(tags.td(str(number)))

        steps = written(tags.table(tags.tbody(rows())))
        for number in range(3):
            next(steps)
            self.assertEqual(made, list(range(number + 1)))
        self.assertIn(b"<td>2</td></tr></tbody></table>", at_once(steps))


class PicturesTests(SynchronousTestCase):
    """Tests for the pictures."""

    def test_days(self) -> None:
        """The days have a text; each kind has its own height, and none is drawn without days."""
        picture = days_picture((Day.BACKUP, Day.NONE, Day.MISSED, Day.BACKUP))
        text = "2 of the last 4 days with a backup, due runs missed on 1 day"
        self.assertIn(f"<title>{text}</title>", picture)
        self.assertIn('d="M0 0h4v20h-4zM15 0h4v20h-4z" class="made">', picture)
        self.assertIn('d="M5 16h4v4h-4z" class="none">', picture)
        self.assertIn('d="M10 8h4v12h-4z" class="missed">', picture)
        self.assertEqual(days_picture(()), "")

    def test_runs(self) -> None:
        """The text has the part of the due backups that were made, rounded down."""
        for runs, text in (
            ((30, 27), "27 of 30 due backups made (90 %)"),
            ((299, 298), "298 of 299 due backups made (99 %)"),
            ((1, 1), "1 of 1 due backup made (100 %)"),
        ):
            picture = days_picture((Day.BACKUP,), runs)
            self.assertIn(f"1 of the last 1 day with a backup; {text}</title>", picture)
        for none in (None, (0, 0)):
            self.assertNotIn("due", days_picture((Day.BACKUP,), none))

    def test_age(self) -> None:
        """The bar is full at the limit, and stays within its frame beyond."""
        for part, width, kind in (
            (-1.0, "0", "within"),
            (0.5, "50", "within"),
            (0.9, "90", "near"),
            (1.0, "100", "near"),
            (7.0, "100", "over"),
            (float("inf"), "100", "over"),
        ):
            picture = age_picture(part)
            self.assertIn(f'width="{width}"', picture.partition("</rect>")[2])
            self.assertIn(f'class="{kind}"', picture)
