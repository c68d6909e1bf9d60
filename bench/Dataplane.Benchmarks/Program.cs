using BenchmarkDotNet.Reports;
using BenchmarkDotNet.Running;
using Dataplane.Benchmarks.Peers;
using Dataplane.Benchmarks.Pipeline;

// The other half of bench/peers/tables/run: our side of a comparison with a C library.
if (args is ["peer", ..])
{
    return PeerProgram.Run(args.AsSpan(1));
}

// What captures cost, each in turn with none.
if (args is ["captures", ..])
{
    return CaptureRatios.Run(args.AsSpan(1));
}

// BenchmarkDotNet ends well when a filter or an option makes it run nothing; a check that relies on it must not.
IEnumerable<Summary> summaries = BenchmarkSwitcher.FromAssembly(typeof(Program).Assembly).Run(args);
return summaries.Any(summary => summary.Reports.Any(report => report.Success)) ? 0 : 1;
