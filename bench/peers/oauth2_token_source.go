// Token() of golang.org/x/oauth2 in one process, over and over: a mutex, a look at the expiry, and a pointer to the
// token that all callers share.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"runtime"
	"sort"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

const batch = 16

func call(source oauth2.TokenSource) {
	token, err := source.Token()
	if err != nil {
		fmt.Fprintln(os.Stderr, "oauth2_token_source:", err)
		os.Exit(1)
	}
	runtime.KeepAlive(token)
}

func cpuSeconds() float64 {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		panic(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano()).Seconds()
}

// As distribution_json in latencies.hpp.
func distribution(samples int, source oauth2.TokenSource) [][2]float64 {
	latencies := make([]float64, samples)
	empty := make([]float64, samples)
	for i := range latencies {
		begun := time.Now()
		call(source)
		latencies[i] = float64(time.Since(begun).Nanoseconds())
		begun = time.Now()
		empty[i] = float64(time.Since(begun).Nanoseconds())
	}
	sort.Float64s(latencies)
	sort.Float64s(empty)
	result := [][2]float64{}
	read := func(part float64) {
		latency := latencies[int(float64(samples-1)*part)] - empty[samples/2]
		result = append(result, [2]float64{part, math.Max(0, latency)})
	}
	if samples == 0 {
		return result
	}
	for step := 0; step <= 50; step++ {
		part := 1 - math.Pow(10, -float64(step)/10)
		if float64(samples)*(1-part) < 1 {
			break
		}
		read(part)
	}
	read(1)
	return result
}

func main() {
	url := flag.String("url", "", "the token endpoint")
	threads := flag.Int("threads", 1, "")
	seconds := flag.Float64("seconds", 1, "")
	samples := flag.Int("samples", 0, "calls that are timed one by one afterwards")
	flag.Parse()
	config := clientcredentials.Config{ClientID: "x", ClientSecret: "a secret of the benchmark", TokenURL: *url}
	source := config.TokenSource(context.Background())
	call(source)

	var over atomic.Bool
	var calls atomic.Uint64
	var all sync.WaitGroup
	cpu, begun := cpuSeconds(), time.Now()
	for i := 0; i < *threads; i++ {
		all.Add(1)
		go func() {
			defer all.Done()
			var done uint64
			for ; !over.Load(); done += batch {
				for j := 0; j < batch; j++ {
					call(source)
				}
			}
			calls.Add(done)
		}()
	}
	time.Sleep(time.Duration(*seconds * float64(time.Second)))
	over.Store(true)
	elapsed := time.Since(begun).Seconds()
	all.Wait()
	report := map[string]interface{}{"calls": calls.Load(), "seconds": elapsed, "cpu_seconds": cpuSeconds() - cpu,
		"distribution": distribution(*samples, source)}
	if err := json.NewEncoder(os.Stdout).Encode(report); err != nil {
		panic(err)
	}
}
