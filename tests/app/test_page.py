"""What every page does."""

from app_support import until
from textual._styles_cache import StylesCache

from cnn_tui.app import CnnTuiApp


async def test_work_that_fails_unforeseen_is_told(app: CnnTuiApp) -> None:
    async def fail() -> None:
        raise ZeroDivisionError("[b]by nothing")

    async with app.run_test() as pilot:
        app.screen.run_worker(fail(), exit_on_error=False)
        await until(pilot, lambda: app._notifications)
        (told,) = [notification.message for notification in app._notifications]
        assert told == "ZeroDivisionError: [b]by nothing"


async def test_screens_that_were_left_take_no_memory(app: CnnTuiApp) -> None:
    async with app.run_test(size=(100, 30)) as pilot:
        for _ in range(20):
            await pilot.press("f1")
            await pilot.pause()
            await pilot.press("escape")
        await pilot.pause()
        # Textual's cache holds a widget, and each of its lines, with each entry.
        cached = StylesCache.get_inner_outer.cache_info().currsize
        assert cached <= len(app.screen.query("*"))
