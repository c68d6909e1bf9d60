using Dataplane.SystemTests.Support;
using Dataplane.Tests.Conformance;

namespace Dataplane.SystemTests.Conformance;

/// <summary>Linux as second opinion: the same packets through the kernel with the same configuration. Whatever it does otherwise, the case says why.</summary>
public sealed class LinuxConformanceTests
{
    public static TheoryData<string> Groups => [.. ConformanceGroups.All.Where(group => group.Linux is not null).Select(group => group.Name)];

    [SystemTheory("nft", "ip")]
    [MemberData(nameof(Groups))]
    public async Task Group_ThroughLinux_DiffersOnlyWhereTheCaseSaysWhy(string name)
    {
        ConformanceGroup group = ConformanceGroups.Of(name);
        using var wire = new Wire();
        wire.Lay();
        await LinuxRouter.ConfigureAsync(wire.Home.Name, group.LanMtuBytes, group.Linux!);
        List<(ConformanceCase Case, string Said)> differences = CasePlayer.Play(group, new LinuxBed(wire));
        string said = string.Join("\n\n", differences.Where(difference => difference.Case.Linux is null).Select(difference => difference.Said));
        Assert.True(said.Length == 0, said);
    }
}
