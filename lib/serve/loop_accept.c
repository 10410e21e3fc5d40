#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "serve/loop_internal.h"

/* FastCGI specification 1.0, section 8 */
#define FCGI_BEGIN_REQUEST 1
#define FCGI_PARAMS	   4
#define FCGI_STDIN	   5
#define FCGI_AUTHORIZER	   2

#define PEEK_BYTES	16384
#define ACCEPT_LOOK_S	1
#define ACCEPT_PAUSE_US 50000
#define ARRIVAL_MS	1
#define DISK_SLOW_US	1000
#define DISK_SLOW_MS	60000

bool loop_is_complete(int fd, size_t *whole_bytes, bool *is_closed)
{
	unsigned char bytes[PEEK_BYTES], last = FCGI_STDIN;
	ssize_t n = recv(fd, bytes, sizeof(bytes), MSG_PEEK | MSG_DONTWAIT);

	*whole_bytes = 0;
	*is_closed = n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
	for (ssize_t at = 0; at + 8 <= n;) {
		size_t length = (size_t)bytes[at + 4] << 8 | bytes[at + 5];

		if (bytes[at] != 1)
			return true; /* not FastCGI: let the reader say so */
		if (bytes[at + 1] == FCGI_BEGIN_REQUEST && at + 10 <= n)
			last = bytes[at + 8] == 0 && bytes[at + 9] == FCGI_AUTHORIZER ? FCGI_PARAMS : FCGI_STDIN;
		if (bytes[at + 1] == last && length == 0) {
			if (at + 8 + bytes[at + 6] == n && n < (ssize_t)sizeof(bytes))
				*whole_bytes = (size_t)n;
			return true;
		}
		at += (ssize_t)(8 + length + bytes[at + 6]);
	}
	return n == (ssize_t)sizeof(bytes);
}

/* In an accepting thread: answer it here if its request is there already. */
static void on_accepted(struct loop *loop, int fd)
{
	struct timeval timeout = { .tv_sec = loop->config->server.request_timeout_s };
	struct pollfd arrival = { .fd = fd, .events = POLLIN };
	struct connection *c;
	size_t whole_bytes;
	bool is_closed;

	loop_hold(loop);
	/* A server connects first and sends then: we are often quicker. */
	poll(&arrival, 1, ARRIVAL_MS);
	if (loop_is_complete(fd, &whole_bytes, &is_closed) && whole_bytes > 0) {
		loop->hooks.on_connection(loop->hooks.arg, fd, whole_bytes);
		return;
	}
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	c = mem_alloc(sizeof(*c));
	*c = (struct connection){ .fd = fd, .since_ms = clock_now_ms(), .loop = loop };
	pthread_mutex_lock(&loop->mutex);
	c->next = loop->incomplete;
	loop->incomplete = c;
	pthread_mutex_unlock(&loop->mutex);
	loop_wake(loop);
}

/* Is the calling thread one of those that accept now? */
static _Thread_local bool has_turn;

void loop_step_aside(struct loop *loop)
{
	if (!has_turn || clock_now_ms() > atomic_load(&loop->disk_slow_until_ms))
		return;
	has_turn = false;
	pthread_mutex_lock(&loop->turn_mutex);
	loop->accepting--;
	pthread_cond_signal(&loop->turn_is_free);
	pthread_mutex_unlock(&loop->turn_mutex);
}

void loop_waited(struct loop *loop, int64_t since_us)
{
	int64_t now_us = clock_now_us();

	if (now_us - since_us > DISK_SLOW_US)
		atomic_store(&loop->disk_slow_until_ms, now_us / 1000 + DISK_SLOW_MS);
}

/* Wait until a thread is wanted that accepts; false if it is time to stop. */
static bool take_turn(struct loop *loop)
{
	pthread_mutex_lock(&loop->turn_mutex);
	while (loop->accepting >= loop->accepting_max && !atomic_load(&loop->is_stopping))
		pthread_cond_wait(&loop->turn_is_free, &loop->turn_mutex);
	has_turn = !atomic_load(&loop->is_stopping);
	if (has_turn)
		loop->accepting++;
	pthread_mutex_unlock(&loop->turn_mutex);
	return has_turn;
}

/* False if nothing can be accepted any more. */
static bool accept_one(struct loop *loop)
{
	int fd = accept4(loop->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd >= 0) {
		on_accepted(loop, fd);
	} else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
		log_write(LOG_ERROR, "cannot accept: %s", strerror(errno));
		usleep(ACCEPT_PAUSE_US);
	} else if (errno != EINTR && errno != EAGAIN && errno != ECONNABORTED) {
		log_write(LOG_ERROR, "cannot accept any more: %s", strerror(errno));
		return false;
	}
	return true;
}

static void *accept_all(void *arg)
{
	struct loop *loop = arg;

	while (take_turn(loop))
		while (has_turn && !atomic_load(&loop->is_stopping))
			if (!accept_one(loop))
				return NULL;
	return NULL;
}

static void on_wake_signal(int number)
{
	(void)number; /* accept4(2) ends with EINTR, that is all */
}

void loop_start_accepting(struct loop *loop)
{
	struct timeval timeout = { .tv_sec = ACCEPT_LOOK_S };
	struct sigaction action = { .sa_handler = on_wake_signal };
	int n = loop->listen_fd < 0 ? 0 : loop->config->server.threads;

	/* Should the signal come just before accept4(2), this ends the wait. */
	setsockopt(loop->listen_fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	sigaction(SIGUSR2, &action, NULL);
	loop->accepting_max = (int)sysconf(_SC_NPROCESSORS_ONLN) / loop->config->server.processes;
	if (loop->accepting_max < 1)
		loop->accepting_max = 1;
	loop->threads = mem_alloc((size_t)n * sizeof(*loop->threads));
	for (; loop->threads_n < n; loop->threads_n++)
		if (pthread_create(&loop->threads[loop->threads_n], NULL, accept_all, loop) != 0)
			break;
	if (n > 0 && loop->threads_n == 0)
		log_write(LOG_ERROR, "cannot start a thread that accepts");
}

void loop_end_accepting(struct loop *loop)
{
	pthread_mutex_lock(&loop->turn_mutex);
	pthread_cond_broadcast(&loop->turn_is_free);
	pthread_mutex_unlock(&loop->turn_mutex);
	for (int i = 0; i < loop->threads_n; i++)
		pthread_kill(loop->threads[i], SIGUSR2);
	for (int i = 0; i < loop->threads_n; i++)
		pthread_join(loop->threads[i], NULL);
	loop->threads_n = 0;
}
