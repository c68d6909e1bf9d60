using Dataplane.Gateway.Networks;
using Dataplane.Gateway.Tests.Support;

namespace Dataplane.Gateway.Tests.Networks;

/// <summary>Where a control socket may be.</summary>
public sealed class ControlServerTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Start_AtARelativePath_ListensThereAndLeavesNothing()
    {
        string socket = Path.GetRelativePath(Environment.CurrentDirectory, _folder["a/sock"]);
        Assert.False(Path.IsPathRooted(socket));
        await using (await ControlServer.StartAsync("--control", socket, _ => { }))
        {
            Assert.True(await ControlClient.IsAnsweringAsync(socket));
        }

        Assert.False(File.Exists(socket));
    }
}
