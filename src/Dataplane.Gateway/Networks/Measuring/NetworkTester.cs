using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Dataplane.Networks;

namespace Dataplane.Gateway.Networks.Measuring;

/// <summary>Sends real traffic between the endpoints of a network, from inside their namespaces, and looks whether what should be apart is.</summary>
/// <remarks>Endpoints attached by memif have no socket of the kernel to send from or answer by: they are named, not tested.</remarks>
internal sealed class NetworkTester(IReadOnlyList<NetworkView> all, string network)
{
    private const int SocketLevel = 1;
    private const int BindToDevice = 25;
    private static readonly TimeSpan s_patience = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan s_isolationPatience = TimeSpan.FromMilliseconds(200);

    /// <summary>Datagrams sent for latency and loss.</summary>
    public int Datagrams { get; init; } = 20;

    /// <summary>How long each connection carries data; zero: throughput is not measured.</summary>
    public TimeSpan Throughput { get; init; } = TimeSpan.FromMilliseconds(300);

    /// <summary>Carries out the test, one pair after the other, so that they do not disturb each other.</summary>
    /// <exception cref="NetworkException">There is no such network.</exception>
    public async Task<NetworkReport> RunAsync()
    {
        NetworkView own = all.FirstOrDefault(view => view.Network.Name == network) ?? throw new NetworkException(NetworkFault.NotFound, $"There is no network {network}.");
        var pairs = new List<PairReport>();
        foreach (NetworkView view in all)
        {
            foreach (EndpointRecord target in view.Endpoints.Where(AttachKind.HasInterface))
            {
                foreach (IPAddress address in target.Addresses.Select(IPAddress.Parse))
                {
                    using var responder = new Responder(target.Namespace, address);
                    foreach (EndpointRecord source in own.Endpoints.Where(source => AttachKind.HasInterface(source) && source.Identity != target.Identity && Source(source, address) is not null))
                    {
                        pairs.Add(await MeasureAsync(source, view.Network, target, responder, IsExpected(own.Network, view.Network)).ConfigureAwait(false));
                    }
                }
            }
        }

        return new NetworkReport(network, [.. own.Endpoints.Select(NameOf)], pairs);
    }

    private static string NameOf(EndpointRecord endpoint) => endpoint.Name.Length > 0 ? endpoint.Name : endpoint.Container;

    private static IPAddress? Source(EndpointRecord endpoint, IPAddress target) => endpoint.Addresses.Select(IPAddress.Parse).FirstOrDefault(own => own.AddressFamily == target.AddressFamily);

    private static bool IsExpected(NetworkRecord from, NetworkRecord to) => from.Name == to.Name ? !from.Isolate : from.Reach.Contains(to.Name) || to.Reach.Contains(from.Name);

    /// <summary>A socket of the endpoint that sends by the interface under test and no other that its namespace may have.</summary>
    private static Socket Open(EndpointRecord source, IPAddress target, SocketType type, ProtocolType protocol) => NamespaceWork.Run(source.Namespace, () =>
    {
        var socket = new Socket(target.AddressFamily, type, protocol);
        try
        {
            socket.SetRawSocketOption(SocketLevel, BindToDevice, Encoding.UTF8.GetBytes(source.Interface + "\0"));
            socket.Bind(new IPEndPoint(Source(source, target)!, 0));
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    });

    private async Task<PairReport> MeasureAsync(EndpointRecord source, NetworkRecord network, EndpointRecord target, Responder responder, bool expected)
    {
        (int sent, List<double> tripsUs) = await AskAsync(source, responder, expected ? Datagrams : 2, expected ? s_patience : s_isolationPatience).ConfigureAwait(false);
        tripsUs.Sort();
        var report = new PairReport(NameOf(source), NameOf(target), network.Name, responder.Address.ToString(), expected, tripsUs.Count > 0)
        {
            Sent = sent,
            Lost = sent - tripsUs.Count,
        };
        if (tripsUs.Count == 0)
        {
            return report;
        }

        return report with
        {
            MinUs = Math.Round(tripsUs[0], 1),
            MedianUs = Math.Round(tripsUs[tripsUs.Count / 2], 1),
            MaxUs = Math.Round(tripsUs[^1], 1),
            MegabitsPerSecond = expected && Throughput > TimeSpan.Zero ? await CarryAsync(source, responder).ConfigureAwait(false) : null,
        };
    }

    private static async Task<(int Sent, List<double> TripsUs)> AskAsync(EndpointRecord source, Responder responder, int count, TimeSpan patience)
    {
        var tripsUs = new List<double>();
        using Socket socket = Open(source, responder.Address, SocketType.Dgram, ProtocolType.Udp);
        int sent = 0;
        try
        {
            await socket.ConnectAsync(responder.Address, responder.DatagramPort).ConfigureAwait(false);
            byte[] answer = new byte[sizeof(int)];

            // The first is for ARP and neighbour discovery, and counts for nothing.
            for (int i = -1; i < count; i++)
            {
                long start = Stopwatch.GetTimestamp();
                sent += i < 0 ? 0 : 1;
                await socket.SendAsync(BitConverter.GetBytes(i)).ConfigureAwait(false);
                using var end = new CancellationTokenSource(patience);
                try
                {
                    do
                    {
                        await socket.ReceiveAsync(answer, end.Token).ConfigureAwait(false);
                    }
                    while (BitConverter.ToInt32(answer) != i);
                    if (i >= 0)
                    {
                        tripsUs.Add(Stopwatch.GetElapsedTime(start).TotalMicroseconds);
                    }
                }
                catch (OperationCanceledException)
                {
                    // Lost: it is not among the trips. Nobody at all is asked twenty times in vain.
                    if (i >= 2 && tripsUs.Count == 0)
                    {
                        break;
                    }
                }
            }
        }
        catch (SocketException)
        {
            // Refused by a router, or no route: not reached.
            sent = Math.Max(sent, 1);
        }

        return (sent, tripsUs);
    }

    private async Task<double?> CarryAsync(EndpointRecord source, Responder responder)
    {
        using Socket socket = Open(source, responder.Address, SocketType.Stream, ProtocolType.Tcp);
        byte[] data = new byte[256 << 10];
        long bytes = 0, start = Stopwatch.GetTimestamp();
        using var end = new CancellationTokenSource(Throughput + TimeSpan.FromSeconds(5));
        try
        {
            await socket.ConnectAsync(responder.Address, responder.ConnectionPort, end.Token).ConfigureAwait(false);
            while (Stopwatch.GetElapsedTime(start) < Throughput)
            {
                bytes += await socket.SendAsync(data, end.Token).ConfigureAwait(false);
            }

            socket.Shutdown(SocketShutdown.Send);
            await socket.ReceiveAsync(data, end.Token).ConfigureAwait(false);
            return Math.Round(bytes * 8 / Stopwatch.GetElapsedTime(start).TotalSeconds / 1e6, 1);
        }
        catch (Exception broken) when (broken is SocketException or OperationCanceledException)
        {
            return 0;
        }
    }
}
