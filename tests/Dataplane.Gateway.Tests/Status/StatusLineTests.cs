using Dataplane.Gateway.Commands;
using Dataplane.Gateway.Status;
using Dataplane.Gateway.Tests.Support;
using Dataplane.Hosting.Configuration;

namespace Dataplane.Gateway.Tests.Status;

public class StatusLineTests
{
    [Fact]
    public async Task Write_AnEngine_IsOneLineThatReadsBack()
    {
        await using DataplaneEngine engine = OfflineEngine.Start(ConfigurationFile.Parse(TestGateway.Yaml, "gateway.yaml").GetSpec());
        string line = StatusLine.Write(engine);
        Assert.DoesNotContain('\n', line);
        Assert.Contains("\"kernel_drops\":0", line, StringComparison.Ordinal);
        GatewayStatus read = StatusLine.TryRead(line)!;
        Assert.Equal("running", read.State);
        Assert.Equal(["wan", "lan"], read.Ports.Select(port => port.Name));
        Assert.Equal(["web", "web6", "dns"], read.Services.Select(service => service.Name));
        Assert.Equal([("10.1.0.11", 8080, 2), ("10.1.0.12", 8080, 1)],
            read.Services[0].Backends.Select(backend => (backend.Address, backend.Port, backend.Weight)));
        Assert.Contains(read.Neighbours, neighbour => neighbour is { Port: "lan", Address: "2001:db8:2::11", Mac: "02:00:00:00:00:0b", State: "static" });
        Assert.Equal(["no-ssh", "no-guest"], read.Rules.Take(2).Select(rule => rule.Name));
    }

    [Theory]
    [InlineData("ready")]
    [InlineData("")]
    [InlineData("  service web: 1 of 7 slots moved")]
    public void TryRead_OtherLines_AreNone(string line) => Assert.Null(StatusLine.TryRead(line));
}
