/* The least that libfcgi can do, as a peer for tests/bench/bench.py: four processes on descriptor 0. */
#include <fcgiapp.h>
#include <unistd.h>

int main(void)
{
	FCGX_Request r;

	for (int i = 0; i < 3 && fork() > 0; i++)
		;
	FCGX_Init();
	FCGX_InitRequest(&r, 0, 0);
	while (FCGX_Accept_r(&r) == 0) {
		FCGX_PutS("Content-Type: text/plain\r\nContent-Length: 6\r\n\r\nhello\n", r.out);
		FCGX_Finish_r(&r);
	}
	return 0;
}
