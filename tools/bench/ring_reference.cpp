// The reference of the benchmark `ring`: moodycamel::ReaderWriterQueue between two pinned processes.
//
// The queue stands in memory shared by fork; it allocates its blocks at construction, before the
// fork, from a pool that lies in the same memory, and afterwards only try_enqueue is used, which
// allocates nothing.  The record, the checks and the clock are those of tools/bench/ring.py.
//
// usage: ring_reference throughput RECORDS | round RECORDS | paced RECORDS GAP_NS

#include <readerwriterqueue/readerwriterqueue.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <vector>

static char *pool, *pool_end;

static void *take_shared(size_t bytes) {
    char *place = pool;
    pool += (bytes + 63) & ~size_t(63);
    if (pool > pool_end) abort();
    return place;
}

static bool from_pool = false;

extern "C" void *__libc_malloc(size_t);
extern "C" void *malloc(size_t bytes) { return from_pool ? take_shared(bytes) : __libc_malloc(bytes); }

struct Record {
    int64_t word[8];
};
using Queue = moodycamel::ReaderWriterQueue<Record, 4096>;
static const int CAPACITY = 4095;

static int64_t now_ns() {
    timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static void pin(int index) {
    cpu_set_t allowed, chosen;
    sched_getaffinity(0, sizeof allowed, &allowed);
    CPU_ZERO(&chosen);
    int count = CPU_COUNT(&allowed), wanted = index % count;
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu)
        if (CPU_ISSET(cpu, &allowed) && wanted-- == 0) CPU_SET(cpu, &chosen);
    sched_setaffinity(0, sizeof chosen, &chosen);
}

static void fill(Record &record, int64_t value) {
    record.word[0] = value;
    for (int i = 1; i < 8; ++i) record.word[i] = value + i;
}

static bool is_right(const Record &record, int64_t value) {
    int64_t wrong = record.word[0] ^ value;
    for (int i = 1; i < 8; ++i) wrong |= record.word[i] ^ (value + i);
    return wrong == 0;
}

static void take(Queue *queue, Record &record) {
    while (!queue->try_dequeue(record)) __builtin_ia32_pause();
}

static void put(Queue *queue, const Record &record) {
    while (!queue->try_enqueue(record)) __builtin_ia32_pause();
}

static void print_percentiles(std::vector<int64_t> &ns) {
    std::sort(ns.begin(), ns.end());
    printf("%ld %ld %ld\n", long(ns[ns.size() / 2]), long(ns[ns.size() * 9 / 10]),
           long(ns[ns.size() * 99 / 100]));
}

int main(int argc, char **argv) {
    if (argc < 3) return 2;
    const int64_t count = atoll(argv[2]);
    const int64_t gap_ns = argc > 3 ? atoll(argv[3]) : 0;
    const size_t bytes = 8 << 20;
    pool = (char *)mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    pool_end = pool + bytes;
    from_pool = true;
    Queue *there = new (take_shared(sizeof(Queue))) Queue(CAPACITY);
    Queue *back = new (take_shared(sizeof(Queue))) Queue(CAPACITY);
    from_pool = false;
    const bool is_round = !strcmp(argv[1], "round"), is_paced = !strcmp(argv[1], "paced");
    pid_t child = fork();
    Record record;
    if (child == 0) {
        pin(1);
        std::vector<int64_t> ns;
        for (int64_t value = 0; value < count; ++value) {
            take(there, record);
            if (is_paced) {
                ns.push_back(now_ns() - record.word[0]);
            } else if (!is_right(record, value)) {
                fprintf(stderr, "wrong record %ld\n", long(value));
                _exit(1);
            }
            if (is_round) put(back, record);
        }
        if (is_paced) print_percentiles(ns);
        fflush(stdout);
        _exit(0);
    }
    pin(0);
    std::vector<int64_t> ns;
    const int64_t start_ns = now_ns();
    int64_t next_ns = start_ns + gap_ns;
    for (int64_t value = 0; value < count; ++value) {
        fill(record, value);
        int64_t sent_ns = is_round ? now_ns() : 0;
        if (is_paced) {
            while (now_ns() < next_ns) __builtin_ia32_pause();
            next_ns += gap_ns;
            record.word[0] = now_ns();
        }
        put(there, record);
        if (is_round) {
            take(back, record);
            ns.push_back(now_ns() - sent_ns);
        }
    }
    int status = 0;
    waitpid(child, &status, 0);
    if (status != 0) return 1;
    if (is_round) print_percentiles(ns);
    if (!is_round && !is_paced) printf("%.3f\n", count * 1e3 / double(now_ns() - start_ns));
    return 0;
}
