/*
 * clock.h - the time that only goes forward (CLOCK_MONOTONIC), for deadlines
 * and durations. What is written to a file or a header is time(2)'s.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

int64_t clock_now_us(void);
int64_t clock_now_ms(void);

/* What is left until then, for a limit in whole seconds: 1 at least. */
int clock_seconds_until(int64_t deadline_ms);

#endif
