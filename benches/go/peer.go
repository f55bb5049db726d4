// The peer in Go. It runs a scenario as often as a line of its input says, and answers with a line of
// nanoseconds: so it takes its turn in the rounds as any other side.
//
//	peer wait_group 1000    so many goroutines that do nothing, and a WaitGroup for their end
//	peer ping_pong 1000     so many times to and fro between two goroutines, over two channels
package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
	"time"
)

func waitGroup(n int) {
	var group sync.WaitGroup
	for i := 0; i < n; i++ {
		group.Add(1)
		go func() { group.Done() }()
	}
	group.Wait()
}

func pingPong(n int) {
	ping, pong := make(chan struct{}), make(chan struct{})
	go func() {
		for i := 0; i < n; i++ {
			<-ping
			pong <- struct{}{}
		}
	}()
	for i := 0; i < n; i++ {
		ping <- struct{}{}
		<-pong
	}
}

func number(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	return n
}

func main() {
	pass := map[string]func(int){"wait_group": waitGroup, "ping_pong": pingPong}[os.Args[1]]
	n := number(os.Args[2])
	runtime.GOMAXPROCS(2)
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		times, start := number(lines.Text()), time.Now()
		for i := 0; i < times; i++ {
			pass(n)
		}
		fmt.Println(time.Since(start).Nanoseconds())
	}
}
