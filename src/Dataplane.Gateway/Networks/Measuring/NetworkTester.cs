using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Dataplane.Networks;

namespace Dataplane.Gateway.Networks.Measuring;

/// <summary>Sends real traffic between the endpoints of a network, from inside their namespaces, and looks whether what should be apart is.</summary>
/// <remarks>Endpoints attached by memif have no socket of the kernel to send from or answer by: the others ask them by echo requests, which the program there answers, and they ask nobody.</remarks>
internal sealed class NetworkTester(IReadOnlyList<NetworkView> all, string network, IReadOnlyList<MemifStatus> memif)
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
        EndpointRecord[] askers = [.. own.Endpoints.Where(AttachKind.HasInterface)];
        var pairs = new List<PairReport>();
        foreach (NetworkView view in all)
        {
            foreach (EndpointRecord target in view.Endpoints)
            {
                foreach (IPAddress address in target.Addresses.Select(IPAddress.Parse))
                {
                    using Responder? responder = AttachKind.HasInterface(target) ? new Responder(target.Namespace, address) : null;
                    foreach (EndpointRecord source in askers.Where(source => source.Identity != target.Identity && Source(source, address) is not null))
                    {
                        var pair = new PairReport(NameOf(source), NameOf(target), view.Network.Name, address.ToString(), IsExpected(own.Network, view.Network), Reached: false);
                        pairs.Add(responder is not null
                            ? await MeasureAsync(pair, source, responder).ConfigureAwait(false)
                            : await MeasureAsync(pair, source, address, memif.FirstOrDefault(status => status.Network == view.Network.Name && status.Container == target.Container && status.Interface == target.Interface))
                                .ConfigureAwait(false));
                    }
                }
            }
        }

        return new NetworkReport(network, [.. own.Endpoints.Select(NameOf)], pairs) { OnlyAsked = [.. own.Endpoints.Except(askers).Select(NameOf)] };
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

    private async Task<PairReport> MeasureAsync(PairReport pair, EndpointRecord source, Responder responder)
    {
        using var asker = new DatagramAsker(Open(source, responder.Address, SocketType.Dgram, ProtocolType.Udp), responder);
        PairReport report = await AskAsync(pair, asker).ConfigureAwait(false);
        return report.Reached && pair.Expected && Throughput > TimeSpan.Zero ? report with { MegabitsPerSecond = await CarryAsync(source, responder).ConfigureAwait(false) } : report;
    }

    /// <summary>Asks an endpoint attached by memif. Where no program has connected there is nobody to ask.</summary>
    private async Task<PairReport> MeasureAsync(PairReport pair, EndpointRecord source, IPAddress address, MemifStatus? status)
    {
        pair = pair with { By = "echo" };
        if (status is { Up: false })
        {
            return pair with { Detail = $"nothing is connected to its memif socket: {status.Detail}" };
        }

        ProtocolType protocol = address.AddressFamily == AddressFamily.InterNetworkV6 ? ProtocolType.IcmpV6 : ProtocolType.Icmp;
        using var asker = new EchoAsker(Open(source, address, SocketType.Raw, protocol), address);
        PairReport report = await AskAsync(pair, asker).ConfigureAwait(false);
        return report.Reached || !pair.Expected ? report : report with { Detail = "a program is connected to its memif socket, and answers no echo request" };
    }

    private async Task<PairReport> AskAsync(PairReport pair, IAsker asker)
    {
        (int sent, List<double> tripsUs) = await AskAsync(asker, pair.Expected ? Datagrams : 2, pair.Expected ? s_patience : s_isolationPatience).ConfigureAwait(false);
        tripsUs.Sort();
        PairReport report = pair with { Reached = tripsUs.Count > 0, Sent = sent, Lost = sent - tripsUs.Count };
        return !report.Reached ? report : report with
        {
            MinUs = Math.Round(tripsUs[0], 1),
            MedianUs = Math.Round(tripsUs[tripsUs.Count / 2], 1),
            MaxUs = Math.Round(tripsUs[^1], 1),
        };
    }

    private static async Task<(int Sent, List<double> TripsUs)> AskAsync(IAsker asker, int count, TimeSpan patience)
    {
        var tripsUs = new List<double>();
        int sent = 0;
        try
        {
            // The first is for ARP and neighbour discovery, and counts for nothing.
            for (int i = -1; i < count; i++)
            {
                long start = Stopwatch.GetTimestamp();
                sent += i < 0 ? 0 : 1;
                await asker.AskAsync(i).ConfigureAwait(false);
                using var end = new CancellationTokenSource(patience);
                try
                {
                    await asker.HearAsync(i, end.Token).ConfigureAwait(false);
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
