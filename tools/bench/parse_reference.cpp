// simdjson's on-demand parser over the frames of the benchmark "parse": every number converted to
// ticks and lots, every field summed, as parse_loops.py does.
//
// parse_reference TICK_E8 LOT_E8 FILE...   a file: 8 bytes of length and the text, again and again.
// A line on standard input names a file by its index; the answer is nanoseconds and the sums.

#include <simdjson.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

using namespace simdjson;

static int64_t tick_e8, lot_e8;

struct Case {
    std::string bytes;
    std::vector<std::pair<size_t, size_t>> frames;
};

static Case load(const char *path) {
    Case result;
    std::ifstream file(path, std::ios::binary);
    result.bytes.assign(std::istreambuf_iterator<char>(file), {});
    size_t end = result.bytes.size();
    for (size_t at = 0; at < end;) {
        uint64_t length;
        std::memcpy(&length, result.bytes.data() + at, 8);
        result.frames.emplace_back(at + 8, length);
        at += 8 + length;
    }
    result.bytes.append(SIMDJSON_PADDING, ' ');
    return result;
}

// Exact: digits, a point, at most eight digits behind it.
static inline int64_t to_e8(std::string_view text) {
    int64_t value = 0;
    int behind = -1;
    for (char character : text) {
        if (character == '.') {
            behind = 0;
            continue;
        }
        if (character < '0' || character > '9') std::abort();
        value = value * 10 + (character - '0');
        if (behind >= 0) ++behind;
    }
    for (behind = behind < 0 ? 0 : behind; behind < 8; ++behind) value *= 10;
    return value;
}

static inline int64_t ticks(ondemand::value value) { return to_e8(value.get_string()) / tick_e8; }
static inline int64_t lots(ondemand::value value) { return to_e8(value.get_string()) / lot_e8; }

static void add_side(ondemand::array levels, int64_t *sums) {
    for (ondemand::array level : levels) {
        auto part = level.begin();
        sums[0] += 1;
        sums[1] += ticks((*part).value());
        ++part;
        sums[2] += lots((*part).value());
        ++part;
    }
}

static void add_frame(ondemand::document &document, int64_t *sums) {
    std::string_view stream = document["stream"].get_string();
    char kind = stream[stream.find('@') + 1];
    ondemand::object data = document["data"];
    if (kind == 'b') {
        sums[0] += data["u"].get_int64();
        sums[1] += ticks(data["b"].value());
        sums[2] += lots(data["B"].value());
        sums[3] += ticks(data["a"].value());
        sums[4] += lots(data["A"].value());
    } else if (kind == 't') {
        sums[5] += data["t"].get_int64();
        sums[6] += ticks(data["p"].value());
        sums[7] += lots(data["q"].value());
        sums[9] += data["T"].get_int64();
        sums[8] += bool(data["m"].get_bool()) ? -1 : 1;
    } else {
        sums[12] += data["E"].get_int64();
        sums[10] += data["U"].get_int64();
        sums[11] += data["u"].get_int64();
        add_side(data["b"].get_array(), sums + 13);
        add_side(data["a"].get_array(), sums + 16);
    }
}

int main(int count, char **arguments) {
    tick_e8 = std::atoll(arguments[1]);
    lot_e8 = std::atoll(arguments[2]);
    std::vector<Case> cases;
    for (int index = 3; index < count; ++index) cases.push_back(load(arguments[index]));
    ondemand::parser parser;
    size_t wanted;
    while (std::cin >> wanted) {
        Case &chosen = cases.at(wanted);
        int64_t sums[19] = {};
        size_t size = chosen.bytes.size();
        auto start = std::chrono::steady_clock::now();
        for (auto [at, length] : chosen.frames) {
            padded_string_view view(chosen.bytes.data() + at, length, size - at);
            ondemand::document document = parser.iterate(view);
            add_frame(document, sums);
        }
        auto took = std::chrono::steady_clock::now() - start;
        std::printf("%lld",
                    (long long)std::chrono::duration_cast<std::chrono::nanoseconds>(took).count());
        for (int64_t sum : sums) std::printf(" %lld", (long long)sum);
        std::printf("\n");
        std::fflush(stdout);
    }
}
