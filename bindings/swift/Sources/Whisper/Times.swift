import Foundation

// The generated code, as `prepare` lays it down, asks these before it writes a date or a length of time.

/// A date between 1970 and the end of the year 9999, to the microsecond: a `Date` is a floating-point
/// number, and one that came from the library must go back as the same millisecond.
func writable(_ date: Date) -> Date {
    let seconds = date.timeIntervalSince1970
    guard seconds > 0 else { return Date(timeIntervalSince1970: 0) }
    let microseconds = (min(seconds, lastSecond) * 1e6).rounded()
    // Half a microsecond more, since what follows rounds down.
    return Date(timeIntervalSince1970: (microseconds + 0.5) / 1e6)
}

/// A length of time that is none counts as zero, and the library refuses it where zero is out of
/// bounds.
func writable(_ interval: TimeInterval) -> TimeInterval {
    interval > 0 ? min(interval, lastSecond) : 0
}

private let lastSecond: Double = 253_402_300_799
