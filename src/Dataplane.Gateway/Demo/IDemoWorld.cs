using Dataplane.Gateway.Demo.Traffic;
using Dataplane.Gateway.Status;

namespace Dataplane.Gateway.Demo;

/// <summary>A client, a gateway and some backends between which real packets pass. Used by one thread at a time, but for what it says.</summary>
internal interface IDemoWorld : IAsyncDisposable
{
    /// <summary>What it is made of, in one line.</summary>
    string Description { get; }

    /// <summary>What <see cref="KillBackendAsync"/> does, in a few words.</summary>
    string HowBackendsDie { get; }

    /// <summary>Completes, faulted, when a part of the world has ended that should not have.</summary>
    Task Broken { get; }

    /// <summary>Builds everything and starts the traffic.</summary>
    /// <param name="configuration">What the gateway begins with.</param>
    /// <param name="progress">Told of every step, in a few words.</param>
    /// <param name="cancellationToken">Ends the building; what was built is taken down by disposing.</param>
    /// <exception cref="IOException">The system refused.</exception>
    Task StartAsync(DemoConfiguration configuration, Action<string> progress, CancellationToken cancellationToken);

    /// <summary>The newest figures of the client and of the gateway. Any thread.</summary>
    (TrafficReport Traffic, GatewayStatus? Gateway) Read();

    /// <summary>Ends a backend without a word to anybody.</summary>
    Task KillBackendAsync(int backend);

    /// <summary>Starts a backend of which the gateway does not know yet.</summary>
    Task StartBackendAsync(int backend);

    /// <summary>Gives the gateway another configuration.</summary>
    /// <returns>What the gateway says about it: its version, what changed, slots moved.</returns>
    Task<IReadOnlyList<string>> ReloadAsync(DemoConfiguration configuration);

    /// <summary>Stops the traffic and the gateway.</summary>
    /// <returns>The gateway's accounting, in lines.</returns>
    Task<IReadOnlyList<string>> StopAsync();
}
