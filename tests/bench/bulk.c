/* The least a server can do for one late reader: a file of SSE frames, sent as fast as the reader takes it.
 *
 *   bulk PORT FILE frames|blocks
 *
 * `frames` frames and sends each event by itself (they end at a blank line), `blocks` sends 64 KiB at a time.
 * Prints "port P" once it listens on 127.0.0.1 (PORT 0 picks one), serves one client, waits until that client has
 * closed, and prints one line of JSON; its figures begin with the request. It gives up after 60 s.
 */

#define _GNU_SOURCE
#include "wire.h"
#include <sys/mman.h>

#define BLOCK 65536
#define MAX_FRAME (8 << 20)

static int client;

static void send_all(const char *bytes, size_t size) {
    while (size) {
        ssize_t n = send(client, bytes, size, MSG_NOSIGNAL);
        if (n < 0) die("send");
        bytes += n;
        size -= n;
    }
}

static void await_request(void) {
    char request[4096];
    for (size_t size = 0; !memmem(request, size, "\r\n\r\n", 4);) {
        ssize_t n = recv(client, request + size, sizeof request - size, 0);
        if (n <= 0) die("recv");
        size += n;
    }
}

static long serve(const char *file, size_t size, int by_frames) { /* returns the number of sends */
    char *out = malloc(MAX_FRAME + 64);
    long sends = 0;
    for (const char *at = file, *end = file + size; at < end; sends++) {
        const char *blank = by_frames ? memmem(at, end - at, "\n\n", 2) : NULL;
        size_t n = end - at;
        if (blank) n = blank + 2 - at;
        else if (!by_frames && n > BLOCK) n = BLOCK;
        if (n > MAX_FRAME) die("frame too long");
        send_all(out, chunk(out, at, n));
        at += n;
    }
    send_all(LAST_CHUNK, sizeof LAST_CHUNK - 1);
    free(out);
    return sends;
}

int main(int argc, char **argv) {
    if (argc != 4 || (strcmp(argv[3], "frames") && strcmp(argv[3], "blocks"))) {
        fprintf(stderr, "usage: bulk PORT FILE frames|blocks\n");
        return 2;
    }
    struct stat info;
    int fd = open(argv[2], O_RDONLY);
    if (fd < 0 || fstat(fd, &info)) die(argv[2]);
    char *file = mmap(NULL, info.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
    if (file == MAP_FAILED) die("mmap");

    alarm(60);
    client = accept(listen_on(atoi(argv[1])), NULL, NULL);
    if (client < 0) die("accept");
    nodelay(client);
    await_request();
    double wall = now(), cpu = cpu_seconds();
    send_all(ANSWER, sizeof ANSWER - 1);
    long sends = serve(file, info.st_size, argv[3][0] == 'f');
    shutdown(client, SHUT_WR);
    for (char rest[256]; recv(client, rest, sizeof rest, 0) > 0;) continue;
    printf("{\"bytes\": %ld, \"sends\": %ld, \"cpu_seconds\": %.6f, \"wall\": %.6f}\n", (long)info.st_size, sends,
           cpu_seconds() - cpu, now() - wall);
    return 0;
}
