using BenchmarkDotNet.Reports;
using BenchmarkDotNet.Running;

// BenchmarkDotNet ends well when a filter or an option makes it run nothing; a check that relies on it must not.
IEnumerable<Summary> summaries = BenchmarkSwitcher.FromAssembly(typeof(Program).Assembly).Run(args);
return summaries.Any(summary => summary.Reports.Any(report => report.Success)) ? 0 : 1;
