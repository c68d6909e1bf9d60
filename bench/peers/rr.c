/* Request and response over one TCP connection, one byte each way, one after the other: what netperf calls TCP_RR.
 *   rr server PORT                     serves connection after connection
 *   rr client ADDRESS PORT COUNT       prints the median and the 99th percentile of the round trips in microseconds */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void must(int holds, const char *what)
{
    if (!holds) {
        perror(what);
        exit(1);
    }
}

static double now_us(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1e6 + time.tv_nsec / 1e3;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void serve(int listener)
{
    char byte;
    int one = 1;
    must(listen(listener, 16) == 0, "listen");
    for (;;) {
        int peer = accept(listener, NULL, NULL);
        must(peer >= 0, "accept");
        setsockopt(peer, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        while (read(peer, &byte, 1) == 1 && write(peer, &byte, 1) == 1) {
        }
        close(peer);
    }
}

static void ask(int server, int count)
{
    char byte = 'x';
    int one = 1, warm = count / 10;
    double *times = calloc(count, sizeof *times);
    must(times != NULL, "calloc");
    setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    for (int i = -warm; i < count; i++) {
        double begun = now_us();
        must(write(server, &byte, 1) == 1 && read(server, &byte, 1) == 1, "round trip");
        if (i >= 0)
            times[i] = now_us() - begun;
    }
    qsort(times, count, sizeof *times, ascending);
    printf("%.1f %.1f\n", times[count / 2], times[count - 1 - count / 100]);
}

int main(int argc, char **argv)
{
    struct sockaddr_in address = { .sin_family = AF_INET };
    int one = 1, is_server = argc == 3 && !strcmp(argv[1], "server"), file = socket(AF_INET, SOCK_STREAM, 0);
    must(file >= 0, "socket");
    if (is_server) {
        address.sin_port = htons(atoi(argv[2]));
        setsockopt(file, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
        must(bind(file, (struct sockaddr *)&address, sizeof address) == 0, "bind");
        serve(file);
    } else if (argc == 5 && !strcmp(argv[1], "client")) {
        address.sin_port = htons(atoi(argv[3]));
        must(inet_pton(AF_INET, argv[2], &address.sin_addr) == 1, argv[2]);
        must(connect(file, (struct sockaddr *)&address, sizeof address) == 0, "connect");
        ask(file, atoi(argv[4]));
        return 0;
    }
    fprintf(stderr, "rr server PORT | rr client ADDRESS PORT COUNT\n");
    return 2;
}
