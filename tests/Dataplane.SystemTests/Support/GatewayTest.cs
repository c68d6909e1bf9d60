namespace Dataplane.SystemTests.Support;

/// <summary>A test that runs the gateway. Whatever the test did, in the end the gateway must know what became of every packet.</summary>
public abstract class GatewayTest(GatewayBed bed) : IClassFixture<GatewayBed>, IAsyncLifetime
{
    private GatewayProgram? _gateway;

    protected GatewayBed Bed { get; } = bed;

    internal GatewayProgram Gateway => _gateway!;

    /// <summary>More of its command line.</summary>
    internal virtual string[] Options => [];

    internal virtual GatewayConfiguration Configuration { get; } = new();

    public async Task InitializeAsync()
    {
        _gateway = await GatewayProgram.StartAsync(Bed.Network.Gateway, Bed.NewPath("gateway.yaml"), Configuration, Options);

        // Whoever was asked for in vain by an earlier gateway must be asked again.
        foreach (string home in Enumerable.Range(0, TestNetwork.Backends).Select(Bed.Network.Backend).Prepend(Bed.Network.Client))
            await ChildProgram.RunAsync(home, ["ip", "neigh", "flush", "all"]);
    }

    public async Task DisposeAsync()
    {
        if (_gateway is null)
            return;
        try
        {
            await _gateway.StopAsync();
        }
        finally
        {
            await _gateway.DisposeAsync();
        }
    }

    internal static string Service(int version) => version == 4 ? GatewayConfiguration.Service : $"[{GatewayConfiguration.Service6}]";

    internal static string Backend(int version, int backend) => version == 4 ? TestNetwork.Address(backend) : TestNetwork.Address6(backend);
}
