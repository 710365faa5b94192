"""Figures as people say them."""


def percent(value: float | None) -> str | None:
    """Return an accuracy in 0..1 as a percentage with two decimals, NaN as such."""
    return None if value is None else f"{100 * value:.2f}%"


def seconds(value: float | None) -> str | None:
    """Return a duration as people say it: 4.2 s, 3 min 10 s, 2 h 05 min."""
    if value is None:
        return None
    if value < 60:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"
