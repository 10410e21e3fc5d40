#include "base/clock.h"

#include <time.h>

int64_t clock_now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t clock_now_ms(void)
{
	return clock_now_us() / 1000;
}

int clock_seconds_until(int64_t deadline_ms)
{
	int64_t left_ms = deadline_ms - clock_now_ms();

	return left_ms < 1000 ? 1 : (int)(left_ms / 1000);
}
