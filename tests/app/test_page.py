"""What every page does."""

from app_support import until

from cnn_tui.app import CnnTuiApp


async def test_work_that_fails_unforeseen_is_told(app: CnnTuiApp) -> None:
    async def fail() -> None:
        raise ZeroDivisionError("[b]by nothing")

    async with app.run_test() as pilot:
        app.screen.run_worker(fail(), exit_on_error=False)
        await until(pilot, lambda: app._notifications)
        (told,) = [notification.message for notification in app._notifications]
        assert told == "ZeroDivisionError: [b]by nothing"
