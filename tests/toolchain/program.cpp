// SPDX-License-Identifier: MIT
// C++: exceptions through frames with destructors, across threads; containers, streams, file systems.
#include <exception>
#include <filesystem>
#include <future>
#include <iostream>
#include <map>
#include <mutex>
#include <regex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

struct Guard {
    int *count;
    ~Guard() { ++*count; }
};

static void descend(int depth, int *unwound) {
    Guard guard{unwound};
    if (depth == 0) throw std::runtime_error("from the depth");
    descend(depth - 1, unwound);
}

int main() {
    int unwound = 0;
    try {
        descend(9, &unwound);
    } catch (const std::exception &e) {
        std::cout << e.what() << ", " << unwound << " frames\n";
    }

    std::mutex mutex;
    std::map<int, std::string> caught;
    std::vector<std::thread> threads;
    for (int i = 0; i < 8; i++)
        threads.emplace_back([&, i] {
            try {
                if (i % 2) throw i;
            } catch (int thrown) {
                std::lock_guard lock(mutex);
                caught[thrown] = std::to_string(thrown * thrown);
            }
        });
    for (auto &thread : threads) thread.join();
    for (auto &[number, square] : caught) std::cout << number << ' ' << square << '\n';

    auto failing = std::async(std::launch::async, []() -> int { throw std::out_of_range("in another thread"); });
    try {
        failing.get();
    } catch (const std::out_of_range &e) {
        std::cout << e.what() << '\n';
    }
    for (auto &entry : std::filesystem::directory_iterator("/etc"))
        if (std::regex_match(entry.path().filename().string(), std::regex("pass.d"))) std::cout << entry.path() << '\n';
    std::set_terminate([] {
        std::cout << "terminated" << std::endl;
        std::_Exit(9);
    });
    throw 1;
}
