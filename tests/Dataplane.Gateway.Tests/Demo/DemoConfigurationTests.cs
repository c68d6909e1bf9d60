using Dataplane.Gateway.Demo;
using Dataplane.Hosting.Configuration;

namespace Dataplane.Gateway.Tests.Demo;

public class DemoConfigurationTests
{
    [Theory]
    [InlineData(new[] { 0, 1, 2 }, false)]
    [InlineData(new[] { 0, 2, 3 }, true)]
    [InlineData(new int[0], true)]
    public void ToYaml_EveryScene_IsAConfigurationOfBothFamilies(int[] backends, bool isGuestDenied)
    {
        var configuration = new DemoConfiguration([.. backends], isGuestDenied);
        DataplaneSpec spec = ConfigurationFile.Parse(configuration.ToYaml(), "gateway.yaml").GetSpec();
        Assert.Equal(["web", "web6", "echo", "echo6"], spec.Services.Select(service => service.Name));
        Assert.All(spec.Services, service => Assert.Equal(backends.Select(DemoPlan.Weight), service.Backends.Select(backend => backend.Weight)));
        Assert.Equal(isGuestDenied, spec.Filter.Rules.Any(rule => rule.Name == DemoPlan.GuestRule));
        Assert.Equal(backends.Length == 0 ? 0 : 1, Enumerable.Range(0, DemoPlan.AllBackends).Sum(configuration.TargetShare), 9);
    }

    [Fact]
    public async Task FindMovedAsync_BackendRemoved_FindsAConnectionThatGoesElsewhere()
    {
        DemoConfiguration before = DemoConfiguration.First, after = before with { Backends = before.Backends.Remove(1) };
        (ushort port, string? then) = await DemoExplainer.FindMovedAsync(before, after, 1);
        Assert.InRange(port, 40_001, 40_999);
        Assert.Contains(then, new[] { "web1", "web3" });
    }
}
