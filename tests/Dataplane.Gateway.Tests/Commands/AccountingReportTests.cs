using System.Collections.Immutable;
using Dataplane.Gateway.Commands;
using Dataplane.Pipeline;
using Dataplane.Telemetry;

namespace Dataplane.Gateway.Tests.Commands;

public class AccountingReportTests
{
    private static readonly ImmutableArray<long> s_dropped = [.. Enum.GetValues<DropReason>().Select(reason => reason == DropReason.FilterRule ? 3L : 0)];

    [Fact]
    public void Lines_Balanced_AreTheFiguresAndTheReasonsThatOccurred() => Assert.Equal(
    [
        "received                     10",
        "originated                   1",
        "transmitted                  6",
        "dropped                      3",
        "  filter_rule                3",
        "held                         2",
    ], AccountingReport.Lines(new Accounting(10, 1, 6, 2, s_dropped)));

    [Fact]
    public void Lines_NotBalanced_SaySo() =>
        Assert.StartsWith("THE ACCOUNTING DOES NOT BALANCE", AccountingReport.Lines(new Accounting(10, 1, 7, 2, s_dropped)).Last(), StringComparison.Ordinal);
}
