using System.Net;
using System.Text.Json;
using Dataplane.Gateway.CommandLine;
using Dataplane.Gateway.Commands;
using Dataplane.Gateway.Status;

namespace Dataplane.Gateway.Demo.Traffic;

/// <summary>The client of the demo: real requests over the kernel's own TCP and UDP, reported as lines of JSON.</summary>
internal sealed class DemoClientCommand : Command
{
    private static readonly Option s_http = new("--http", "ADDR:PORT", "web service; every second option of the kind shares the requests") { IsRepeatable = true, IsRequired = true };
    private static readonly Option s_echo = new("--echo", "ADDR:PORT", "UDP echo service") { IsRepeatable = true, IsRequired = true };
    private static readonly Option s_guest = new("--guest", "ADDRESS", "a second address of this client, for requests of its own") { IsRequired = true };
    private static readonly Option s_rate = new("--rate", "N", "HTTP requests and half the UDP messages per second") { IsRequired = true };

    public override string Name => "demo-client";

    public override string Summary => "the client of the demo";

    public override bool IsHidden => true;

    public override IReadOnlyList<Option> Options => [s_http, s_echo, s_guest, s_rate];

    public override async Task<int> RunAsync(Arguments arguments, Output output)
    {
        using var signals = new Signals(System.Runtime.InteropServices.PosixSignal.SIGINT);
        using var ended = new CancellationTokenSource();
        IPEndPoint[] web = [.. arguments.GetAll(s_http).Select(IPEndPoint.Parse)];
        IPEndPoint[] echo = [.. arguments.GetAll(s_echo).Select(IPEndPoint.Parse)];
        int rate = (int)arguments.GetNumber(s_rate, 1, 100_000)!.Value;
        var http = new HttpLoad(TimeSpan.FromSeconds(1));
        var guest = new HttpLoad(TimeSpan.FromMilliseconds(400));
        var udp = new UdpLoad();

        const int WebWorkers = 12, Flows = 32, GuestWorkers = 4;
        for (int i = 0; i < WebWorkers; i++)
        {
            _ = http.RunAsync(web[i % web.Length], null, TimeSpan.FromSeconds((double)WebWorkers / rate), ended.Token);
        }

        for (int i = 0; i < Flows; i++)
        {
            _ = udp.RunAsync(echo[i % echo.Length], TimeSpan.FromSeconds(Flows / (2.0 * rate)), ended.Token);
        }

        for (int i = 0; i < GuestWorkers; i++)
        {
            _ = guest.RunAsync(web[0], IPAddress.Parse(arguments.Get(s_guest)!), TimeSpan.FromMilliseconds(100), ended.Token);
        }

        Task input = StandardInput.EndAsync();
        var print = new LinePrinter(output.Out);
        using var tick = new PeriodicTimer(TimeSpan.FromMilliseconds(250));
        while (!input.IsCompleted)
        {
            Task<bool> next = tick.WaitForNextTickAsync().AsTask();
            await Task.WhenAny(next, input).ConfigureAwait(false);
            var report = new TrafficReport(http.Counter.Read(), udp.Counter.Read(), guest.Counter.Read(), http.ByBackend());
            print.Line(JsonSerializer.Serialize(report, StatusJson.Default.TrafficReport));
        }

        await ended.CancelAsync().ConfigureAwait(false);
        return ExitCode.Ok;
    }
}
