/*
 * load.c - many HTTP/1.1 clients in one process, for tests/bench/bench.py.
 *
 *	load [-s | -c N] [-i MS] [-j N] [-n TIMES] [-t SECONDS] [-b BYTES] PORT <paths
 *
 * Asks 127.0.0.1:PORT for each path that stands on a line of standard input:
 * all at once, each by a client with a connection of its own; or with -s one
 * after the other over a single connection that is kept alive; or with -c N
 * over N such connections, each taking the next path when it is free.
 *
 *	-i MS       with -s: a request every MS milliseconds, not as fast as can be
 *	-j N        without -s and -c: processes that share the clients (1)
 *	-n TIMES    the list so many times over
 *	-t SECONDS  what isn't answered by then has failed (30)
 *	-b BYTES    of the buffer that bodies are read into (32768, as io.Copy of Go)
 *
 * Bodies are received as any client must, into memory, and dropped. One line a
 * request, in the order of the list:
 *
 *	STATUS FIRST_US END_US BYTES WHOLE
 *
 * FIRST_US and END_US: first and last byte of the body, in microseconds since
 * the start of all (with -s and -c: of this request); WHOLE is 1 if as many bytes came
 * as Content-Length had promised. STATUS 0: no answer. The last line says what
 * all took: # WALL_US USER_US SYSTEM_US.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define HEAD_BYTES    4096
#define EVENTS_MAX    64
#define PATH_BYTES    2048
#define PROCESSES_MAX 64

struct request {
	char *path;
	int fd;
	int status;
	bool has_head, is_done, must_close;
	int64_t began_us, first_us, end_us;
	int64_t length, got; /* of the body; length -1: not told */
	size_t head_n;
	char *head; /* while it comes in */
};

struct load {
	struct sockaddr_in address;
	struct request *requests; /* shared by all processes */
	size_t n;
	size_t *next; /* shared: the first that no connection has taken */
	int processes;
	int64_t began_us, deadline_us;
	int interval_ms;
	size_t buffer_bytes;
	char *buffer;
};

static int64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000LL + t.tv_nsec / 1000;
}

static void die(const char *what)
{
	fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void *must_alloc(size_t n)
{
	void *p = calloc(1, n);

	if (!p)
		die("calloc");
	return p;
}

/* Memory that children write and their parent reads. */
static void *share(const void *from, size_t once_bytes, int times)
{
	size_t n = once_bytes * (size_t)times;
	char *p = mmap(NULL, n ? n : 1, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		die("mmap");
	for (size_t at = 0; at < n; at += once_bytes)
		memcpy(p + at, from, once_bytes);
	return p;
}

static void read_paths(struct load *load, int times)
{
	char line[PATH_BYTES];
	struct request *list = NULL;
	size_t room = 0;

	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = '\0';
		if (load->n == room) {
			room = room ? room * 2 : 256;
			list = realloc(list, room * sizeof(*list));
			if (!list)
				die("realloc");
		}
		list[load->n++] = (struct request){ .path = strdup(line), .fd = -1 };
	}
	load->requests = share(list, load->n * sizeof(*list), times);
	load->n *= (size_t)times;
	free(list);
}

static int connect_to(const struct load *load, int flags)
{
	int one = 1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);

	if (fd < 0)
		die("socket");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(fd, (const struct sockaddr *)&load->address, sizeof(load->address)) != 0 &&
	    errno != EINPROGRESS)
		die("connect");
	return fd;
}

/* A request is far smaller than any socket's buffer: one send takes it. */
static bool ask(const struct load *load, struct request *r, bool must_close)
{
	char text[PATH_BYTES + 256];
	int n = snprintf(text, sizeof(text),
			 "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUser-Agent: load\r\n%s\r\n", r->path,
			 ntohs(load->address.sin_port), must_close ? "Connection: close\r\n" : "");

	return send(r->fd, text, (size_t)n, MSG_NOSIGNAL) == n;
}

static void finish(struct request *r)
{
	r->is_done = true;
	r->end_us = now_us();
	free(r->head);
	r->head = NULL;
}

static void body_came(struct request *r, size_t n)
{
	if (n == 0)
		return;
	if (r->got == 0)
		r->first_us = now_us();
	r->got += (int64_t)n;
}

static void parse_head(struct request *r)
{
	r->length = -1;
	if (sscanf(r->head, "HTTP/1.%*d %d", &r->status) != 1)
		r->status = 0;
	for (const char *line = strstr(r->head, "\r\n"); line; line = strstr(line, "\r\n")) {
		line += 2;
		if (strncasecmp(line, "Content-Length:", 15) == 0)
			r->length = strtoll(line + 15, NULL, 10);
		if (strncasecmp(line, "Connection: close", 17) == 0)
			r->must_close = true;
	}
}

/* Bytes that belong to the head, wholly or in part. */
static void head_came(struct request *r, const char *bytes, size_t n)
{
	size_t room, taken;
	char *end;

	if (!r->head)
		r->head = must_alloc(HEAD_BYTES + 1);
	room = HEAD_BYTES - r->head_n;
	taken = n < room ? n : room;
	memcpy(r->head + r->head_n, bytes, taken);
	r->head_n += taken;
	end = strstr(r->head, "\r\n\r\n");
	if (!end)
		return;
	end[2] = '\0';
	r->has_head = true;
	parse_head(r);
	body_came(r, n - (taken - (r->head_n - (size_t)(end + 4 - r->head))));
}

/* One read. False if the connection is at its end. */
static bool receive(const struct load *load, struct request *r)
{
	ssize_t n = recv(r->fd, load->buffer, load->buffer_bytes, 0);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	if (n == 0)
		return false;
	if (r->has_head)
		body_came(r, (size_t)n);
	else
		head_came(r, load->buffer, (size_t)n);
	if (r->has_head && r->length >= 0 && r->got >= r->length)
		finish(r);
	return true;
}

static void on_event(struct load *load, int epoll_fd, struct request *r, uint32_t events)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = r };

	if (events & EPOLLOUT) { /* connected */
		if (!ask(load, r, true))
			finish(r);
		epoll_ctl(epoll_fd, EPOLL_CTL_MOD, r->fd, &event);
		return;
	}
	if (!receive(load, r) && !r->is_done)
		finish(r);
}

/* One process's part of the clients. */
static void run_part(struct load *load, size_t first)
{
	struct epoll_event events[EVENTS_MAX];
	int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	size_t left = 0;

	for (size_t i = first; i < load->n; i += (size_t)load->processes, left++) {
		struct request *r = &load->requests[i];
		struct epoll_event event = { .events = EPOLLOUT, .data.ptr = r };

		r->fd = connect_to(load, SOCK_NONBLOCK);
		r->began_us = load->began_us;
		if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, r->fd, &event) != 0)
			die("epoll_ctl");
	}
	while (left > 0 && now_us() < load->deadline_us) {
		int n = epoll_wait(epoll_fd, events, EVENTS_MAX, 100);

		for (int i = 0; i < n; i++) {
			struct request *r = events[i].data.ptr;

			on_event(load, epoll_fd, r, events[i].events);
			if (!r->is_done)
				continue;
			close(r->fd);
			left--;
		}
	}
}

static void wait_turn(const struct load *load, size_t i)
{
	int64_t due = load->began_us + (int64_t)i * load->interval_ms * 1000;
	struct timespec until = { due / 1000000, due % 1000000 * 1000 };

	if (load->interval_ms > 0)
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
}

/* One request over a connection that is kept; the descriptor, or -1 if it ended. */
static int ask_over(const struct load *load, int fd, struct request *r)
{
	if (fd < 0)
		fd = connect_to(load, 0);
	r->fd = fd;
	r->began_us = now_us();
	if (ask(load, r, false)) {
		while (!r->is_done && receive(load, r))
			;
	}
	if (r->is_done && !r->must_close)
		return fd;
	if (!r->is_done)
		finish(r);
	close(fd);
	return -1;
}

/* One process's connection; which of them it is doesn't matter. */
static void run_kept(struct load *load, size_t unused)
{
	int fd = -1;
	size_t i;

	(void)unused;
	while (now_us() < load->deadline_us &&
	       (i = __atomic_fetch_add(load->next, 1, __ATOMIC_RELAXED)) < load->n) {
		wait_turn(load, i);
		fd = ask_over(load, fd, &load->requests[i]);
	}
}

static void run_processes(struct load *load, void (*run)(struct load *, size_t))
{
	for (int i = 0; i < load->processes; i++) {
		pid_t pid = fork();

		if (pid < 0)
			die("fork");
		if (pid > 0)
			continue;
		run(load, (size_t)i);
		_exit(0);
	}
	while (wait(NULL) > 0)
		;
}

static long long us_of(struct timeval t)
{
	return t.tv_sec * 1000000LL + t.tv_usec;
}

static void print_results(const struct load *load)
{
	struct rusage own, children;

	for (size_t i = 0; i < load->n; i++) {
		const struct request *r = &load->requests[i];
		bool is_whole = r->is_done && r->has_head && r->got == r->length;

		printf("%d %lld %lld %lld %d\n", r->is_done ? r->status : 0,
		       (long long)(r->first_us ? r->first_us - r->began_us : -1),
		       (long long)(r->end_us ? r->end_us - r->began_us : -1), (long long)r->got, is_whole);
	}
	getrusage(RUSAGE_SELF, &own);
	getrusage(RUSAGE_CHILDREN, &children);
	printf("# %lld %lld %lld\n", (long long)(now_us() - load->began_us),
	       us_of(own.ru_utime) + us_of(children.ru_utime),
	       us_of(own.ru_stime) + us_of(children.ru_stime));
}

int main(int argc, char **argv)
{
	struct load load = { .buffer_bytes = 32768, .processes = 1 };
	int option, times = 1, seconds = 30;
	bool is_kept = false;

	while ((option = getopt(argc, argv, "sc:i:j:n:t:b:")) != -1) {
		if (option == 's' || option == 'c')
			is_kept = true;
		if (option == 's')
			load.processes = 1;
		else if (option == 'i')
			load.interval_ms = (int)strtol(optarg, NULL, 10);
		else if (option == 'j' || option == 'c')
			load.processes = (int)strtol(optarg, NULL, 10);
		else if (option == 'n')
			times = (int)strtol(optarg, NULL, 10);
		else if (option == 't')
			seconds = (int)strtol(optarg, NULL, 10);
		else if (option == 'b')
			load.buffer_bytes = strtoul(optarg, NULL, 10);
		else
			return 2;
	}
	if (optind + 1 != argc || load.buffer_bytes == 0 || times < 1 || load.processes < 1 ||
	    load.processes > PROCESSES_MAX)
		return 2;
	load.address.sin_family = AF_INET;
	load.address.sin_port = htons((uint16_t)strtol(argv[optind], NULL, 10));
	load.address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	load.buffer = must_alloc(load.buffer_bytes);
	read_paths(&load, times);
	load.next = share(&(size_t){ 0 }, sizeof(*load.next), 1);
	load.began_us = now_us();
	load.deadline_us = load.began_us + seconds * 1000000LL;
	run_processes(&load, is_kept ? run_kept : run_part);
	print_results(&load);
	return 0;
}
