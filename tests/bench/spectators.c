/* The crowd: N connections that read one event stream each, as cheaply as one thread can. It drives both our
 * server and the baselines, so that only the server differs.
 *
 *   spectators HOST PORT PATH CONNECTIONS EVENTS SECONDS [HEADER]...
 *
 * Each connection asks for PATH (with the given headers, such as "Last-Event-ID: 1763675000123-42") and counts
 * frames with an id until it saw EVENTS of them (0: no limit), `event: end`, or the end of the connection; all stop
 * after SECONDS. Prints "connected N" when all have an answer, and at the end one line of JSON:
 *   connected      connections answered with status 200
 *   events_total, min_events, max_events   frames with an id; the last two per answered connection
 *   ended          connections that saw `event: end`
 *   failed         connections refused, or answered with another status
 *   bytes, wall, cpu_seconds               all that was read, from the first connect to the last read
 */

#define _GNU_SOURCE
#include "wire.h"

#define READ 65536
#define TAIL 16       /* longer than any of the words below, which may be cut by the end of a read */
#define CONNECTING 64 /* at once: no server's backlog is overrun */

static const char ID[] = "\nid: ", END[] = "\nevent: end\n", OK[] = "HTTP/1.1 200";

struct spectator {
    int fd, asked, answered, ended;
    long events;
    char tail[TAIL]; /* the last bytes of the read before */
    int tail_size;
};

static int poll_fd, wanted, begun, answered, open_now, unanswered;
static long limit, bytes;
static struct spectator *all;
static struct sockaddr_in server;
static char *request;

static void leave(struct spectator *s) {
    if (!s->answered) unanswered--;
    close(s->fd);
    s->fd = -1;
    open_now--;
}

static void enter(struct spectator *s) {
    s->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (s->fd < 0) die("socket");
    open_now++;
    unanswered++;
    struct epoll_event e = {.events = EPOLLIN | EPOLLOUT, .data.ptr = s};
    if (epoll_ctl(poll_fd, EPOLL_CTL_ADD, s->fd, &e)) die("epoll_ctl");
    if (connect(s->fd, (struct sockaddr *)&server, sizeof server) && errno != EINPROGRESS) leave(s);
}

static void ask(struct spectator *s) { /* connected, or refused */
    size_t size = strlen(request);
    if (send(s->fd, request, size, MSG_NOSIGNAL) != (ssize_t)size) return leave(s);
    s->asked = 1;
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = s};
    if (epoll_ctl(poll_fd, EPOLL_CTL_MOD, s->fd, &e)) die("epoll_ctl");
}

static void greet(struct spectator *s, const char *status) {
    if (memcmp(status, OK, sizeof OK - 1)) return leave(s);
    s->answered = 1;
    unanswered--;
    if (++answered == wanted) {
        printf("connected %d\n", answered);
        fflush(stdout);
    }
}

/* Count the words that end after `old`, the bytes that were searched before. */
static void count(struct spectator *s, const char *text, size_t size, size_t old) {
    const char *end = text + size, *at = text;
    while ((at = memchr(at, '\n', end - at))) {
        size_t left = end - at, seen = text + old > at ? text + old - at : 0;
        if (left >= sizeof ID - 1 && seen < sizeof ID - 1 && !memcmp(at, ID, sizeof ID - 1)) s->events++;
        if (left >= sizeof END - 1 && seen < sizeof END - 1 && !memcmp(at, END, sizeof END - 1)) s->ended = 1;
        at++;
    }
}

static void hear(struct spectator *s) {
    static char buffer[TAIL + READ];
    char *fresh = buffer + TAIL, *start = fresh - s->tail_size;
    ssize_t n = recv(s->fd, fresh, READ, 0);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) return leave(s);
    bytes += n;
    memcpy(start, s->tail, s->tail_size);
    size_t size = s->tail_size + n;
    if (!s->answered && size >= sizeof OK - 1) greet(s, start);
    if (s->fd < 0) return;
    count(s, start, size, s->tail_size);
    s->tail_size = size < TAIL ? size : TAIL;
    memcpy(s->tail, start + size - s->tail_size, s->tail_size);
    if (s->ended || (limit && s->events >= limit)) leave(s);
}

static void turn(void) {
    struct epoll_event ready[256];
    while (begun < wanted && unanswered < CONNECTING) enter(&all[begun++]);
    int n = epoll_wait(poll_fd, ready, 256, 100);
    for (int i = 0; i < n; i++) {
        struct spectator *s = ready[i].data.ptr;
        if (s->fd >= 0 && !s->asked && ready[i].events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) ask(s);
        if (s->fd >= 0 && s->asked && ready[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) hear(s);
    }
}

static void compose(int argc, char **argv) { /* the request, the same for all */
    size_t room = 256, size;
    for (int i = 1; i < argc; i++) room += strlen(argv[i]) + 2;
    request = malloc(room);
    size = sprintf(request, "GET %s HTTP/1.1\r\nHost: %s:%s\r\nAccept: text/event-stream\r\n", argv[3], argv[1], argv[2]);
    for (int i = 7; i < argc; i++) size += sprintf(request + size, "%s\r\n", argv[i]);
    sprintf(request + size, "\r\n");
}

static void report(double wall, double cpu) {
    long total = 0, least = -1, most = 0;
    int ended = 0;
    for (int i = 0; i < wanted; i++) {
        total += all[i].events;
        ended += all[i].ended;
        if (!all[i].answered) continue;
        if (least < 0 || all[i].events < least) least = all[i].events;
        if (all[i].events > most) most = all[i].events;
    }
    printf("{\"connected\": %d, \"events_total\": %ld, \"min_events\": %ld, \"max_events\": %ld, \"ended\": %d, "
           "\"failed\": %d, \"bytes\": %ld, \"wall\": %.6f, \"cpu_seconds\": %.6f}\n",
           answered, total, least < 0 ? 0 : least, most, ended, wanted - answered, bytes, wall, cpu);
}

int main(int argc, char **argv) {
    if (argc < 7) {
        fprintf(stderr, "usage: spectators HOST PORT PATH CONNECTIONS EVENTS SECONDS [HEADER]...\n");
        return 2;
    }
    raise_file_limit();
    server.sin_family = AF_INET;
    server.sin_port = htons(atoi(argv[2]));
    if (!inet_aton(argv[1], &server.sin_addr)) die("HOST must be an IPv4 address");
    wanted = atoi(argv[4]);
    limit = atol(argv[5]);
    all = calloc(wanted, sizeof *all);
    poll_fd = epoll_create1(EPOLL_CLOEXEC);
    compose(argc, argv);

    double began = now(), deadline = began + atof(argv[6]);
    while ((open_now || begun < wanted) && now() < deadline) turn();
    report(now() - began, cpu_seconds());
    return 0;
}
