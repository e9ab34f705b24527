/* The least a server can do for N spectators: one ready-made frame per event, one send() per spectator.
 *
 *   fanout PORT SPECTATORS RATE SECONDS FRAME_BYTES
 *
 * Prints "port P" once it listens on 127.0.0.1 (PORT 0 picks one). When SPECTATORS have been answered it sends
 * RATE events a second for SECONDS, then `end`, and prints one line of JSON; its figures begin at the first event.
 * It gives up after 60 s without its spectators, or 30 s after the last event.
 */

#define _GNU_SOURCE
#include "wire.h"
#include <sys/timerfd.h>

#define CONNECT_DEADLINE 60.0
#define DRAIN_DEADLINE 30.0
#define MAX_FRAME 65536
#define MAX_OWED (16 << 20) /* bytes a spectator may lag behind before it is cut off */

struct spectator {
    int fd;
    int answered;
    char request[4096];
    size_t request_size;
    char *owed; /* what the kernel did not take: owed[sent..size) */
    size_t sent, size, room;
};

static int poll_fd, wanted, joined, answered, blocked, cut_off;
static struct spectator *all, door, clock_face; /* the last two only mark the listener and the timer */
static long deliveries;

static void watch(struct spectator *s, int op, uint32_t events) {
    struct epoll_event e = {.events = events, .data.ptr = s};
    if (epoll_ctl(poll_fd, op, s->fd, &e)) die("epoll_ctl");
}

static void cut(struct spectator *s) {
    if (s->fd < 0) return;
    if (s->size > s->sent) blocked--;
    s->size = s->sent = 0;
    close(s->fd);
    s->fd = -1;
    cut_off++;
}

static void owe(struct spectator *s, const char *bytes, size_t size) {
    if (s->sent == s->size) {
        s->sent = s->size = 0;
        blocked++;
        watch(s, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
    }
    if (s->size + size > s->room) {
        memmove(s->owed, s->owed + s->sent, s->size - s->sent);
        s->size -= s->sent;
        s->sent = 0;
        while (s->size + size > s->room) s->room = s->room ? 2 * s->room : 65536;
        if (!(s->owed = realloc(s->owed, s->room))) die("realloc");
    }
    memcpy(s->owed + s->size, bytes, size);
    s->size += size;
    if (s->size - s->sent > MAX_OWED) cut(s);
}

static void deliver(struct spectator *s, const char *bytes, size_t size) {
    if (s->fd < 0) return;
    ssize_t n = 0;
    if (s->sent == s->size) n = send(s->fd, bytes, size, MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN) return cut(s);
    if (n < 0) n = 0;
    if ((size_t)n < size) owe(s, bytes + n, size - n);
}

static void pay(struct spectator *s) { /* the socket takes bytes again */
    ssize_t n = send(s->fd, s->owed + s->sent, s->size - s->sent, MSG_NOSIGNAL);
    if (n < 0 && errno == EAGAIN) return;
    if (n < 0) return cut(s);
    s->sent += n;
    if (s->sent < s->size) return;
    blocked--;
    watch(s, EPOLL_CTL_MOD, EPOLLIN);
}

static void hear(struct spectator *s) { /* the request, or that it left */
    ssize_t n = recv(s->fd, s->request + s->request_size, sizeof s->request - s->request_size, 0);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) return cut(s);
    s->request_size += n;
    if (s->answered || !memmem(s->request, s->request_size, "\r\n\r\n", 4)) return;
    s->answered = 1;
    s->request_size = 0;
    answered++;
    deliver(s, ANSWER, sizeof ANSWER - 1);
}

static void join(int listener) {
    while (joined < wanted) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) return;
        nodelay(fd);
        struct spectator *s = &all[joined++];
        s->fd = fd;
        watch(s, EPOLL_CTL_ADD, EPOLLIN);
    }
    epoll_ctl(poll_fd, EPOLL_CTL_DEL, listener, NULL); /* all are here: whoever else comes waits in vain */
}

static void send_event(long seq, size_t frame_bytes) {
    char frame[MAX_FRAME + 256], framed[MAX_FRAME + 320];
    int n = sprintf(frame, "id: 1763675000123-%ld\nevent: turn.delta\ndata: {\"type\":\"turn.delta\",\"text\":\"", seq);
    while ((size_t)n + 4 < frame_bytes) frame[n++] = 'x';
    n += sprintf(frame + n, "\"}\n\n");
    size_t size = chunk(framed, frame, n);
    for (int i = 0; i < wanted; i++) {
        if (all[i].fd < 0) continue;
        deliver(&all[i], framed, size);
        deliveries++;
    }
}

static void send_end(void) {
    static const char END[] = "event: end\ndata: {\"type\":\"end\"}\n\n";
    char framed[128];
    size_t size = chunk(framed, END, sizeof END - 1);
    memcpy(framed + size, LAST_CHUNK, sizeof LAST_CHUNK - 1);
    for (int i = 0; i < wanted; i++) deliver(&all[i], framed, size + sizeof LAST_CHUNK - 1);
}

static uint64_t turn(int listener, int timer) { /* serve whoever is ready; returns how many events are due */
    struct epoll_event ready[256];
    uint64_t due = 0;
    int n = epoll_wait(poll_fd, ready, 256, 100);
    for (int i = 0; i < n; i++) {
        struct spectator *s = ready[i].data.ptr;
        if (s == &door) {
            join(listener);
        } else if (s == &clock_face) {
            if (read(timer, &due, sizeof due) != sizeof due) due = 0;
        } else {
            if (s->fd >= 0 && ready[i].events & EPOLLOUT) pay(s);
            if (s->fd >= 0 && ready[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) hear(s);
        }
    }
    return due;
}

static int start_timer(double rate) {
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    long ns = 1e9 / rate;
    struct timespec every = {.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
    if (timerfd_settime(timer, 0, &(struct itimerspec){every, every}, NULL)) die("timerfd");
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = &clock_face};
    if (epoll_ctl(poll_fd, EPOLL_CTL_ADD, timer, &e)) die("epoll_ctl");
    return timer;
}

int main(int argc, char **argv) {
    if (argc != 6) {
        fprintf(stderr, "usage: fanout PORT SPECTATORS RATE SECONDS FRAME_BYTES\n");
        return 2;
    }
    raise_file_limit();
    wanted = atoi(argv[2]);
    double rate = atof(argv[3]);
    long total = rate * atof(argv[4]), sent = 0;
    size_t frame_bytes = atol(argv[5]);
    all = calloc(wanted, sizeof *all);
    if (!all || frame_bytes > MAX_FRAME) die("arguments");

    poll_fd = epoll_create1(EPOLL_CLOEXEC);
    int listener = listen_on(atoi(argv[1])), timer = -1;
    nonblocking(listener);
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = &door};
    if (epoll_ctl(poll_fd, EPOLL_CTL_ADD, listener, &e)) die("epoll_ctl");
    for (double deadline = now() + CONNECT_DEADLINE; answered < wanted;) {
        if (now() > deadline) {
            fprintf(stderr, "fanout: only %d of %d spectators came\n", answered, wanted);
            return 1;
        }
        turn(listener, timer);
    }

    double wall = now(), cpu = cpu_seconds();
    timer = start_timer(rate);
    while (sent < total)
        for (uint64_t due = turn(listener, timer); due && sent < total; due--) send_event(++sent, frame_bytes);
    send_end();
    for (double deadline = now() + DRAIN_DEADLINE; blocked && now() < deadline;) turn(listener, timer);
    printf("{\"deliveries\": %ld, \"cpu_seconds\": %.6f, \"wall\": %.6f, \"events\": %ld, \"cut_off\": %d}\n",
           deliveries, cpu_seconds() - cpu, now() - wall, sent, cut_off);
    return blocked != 0;
}
