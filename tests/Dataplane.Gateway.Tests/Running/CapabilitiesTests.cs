using Dataplane.Gateway.CommandLine;
using Dataplane.Gateway.Tests.Support;

namespace Dataplane.Gateway.Tests.Running;

public class CapabilitiesTests
{
    [Fact]
    public async Task Capabilities_OfThisProcess_AreATableWithARemedyForEveryNo()
    {
        Ended ended = (await TestedProgram.RunAsync("capabilities")).With(ExitCode.Ok);
        string[] lines = ended.Output.TrimEnd('\n').Split('\n');
        for (int i = 0; i < lines.Length; i++)
        {
            Assert.Matches("^([A-Za-z/_][A-Za-z/_ ]*[A-Za-z_]) +(yes|no ) +.+$|^ +-> .+$", lines[i]);
            bool isNo = System.Text.RegularExpressions.Regex.IsMatch(lines[i], "^[^ ].* no  ");
            Assert.Equal(isNo, i + 1 < lines.Length && lines[i + 1].TrimStart().StartsWith("->", StringComparison.Ordinal));
        }

        Assert.All(new[] { "kernel", "CAP_NET_RAW", "CAP_NET_ADMIN", "AF_PACKET", "/dev/net/tun", "huge pages" },
            name => Assert.Single(lines, line => line.StartsWith(name + " ", StringComparison.Ordinal)));
    }
}
