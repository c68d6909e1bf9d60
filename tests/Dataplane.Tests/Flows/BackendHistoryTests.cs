using Dataplane.Balancing;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Telemetry;
using Dataplane.Tests.Pipeline;
using FsCheck;
using FsCheck.Fluent;

namespace Dataplane.Tests.Flows;

/// <summary>Any history of a service, against an oracle that knows who is where: no flow changes its backend unless the receipt says so, and receipts add up.</summary>
public sealed class BackendHistoryTests
{
    private const int MaxFlows = 40;

    /// <summary>One step of a history.</summary>
    public enum Step
    {
        Open,
        Speak,
        Add,
        Remove,
        Weigh,
        Drain,
        Undrain,
        Fail,
        Recover,
    }

    [Theory]
    [InlineData(true, RemovePolicy.Move, BalancePolicy.Maglev, 1)]
    [InlineData(true, RemovePolicy.Reset, BalancePolicy.RoundRobin, 1)]
    [InlineData(true, RemovePolicy.Keep, BalancePolicy.Weighted, 3)]
    [InlineData(false, RemovePolicy.Move, BalancePolicy.Maglev, 3)]
    public void AnyHistory_FlowsMoveOnlyAsTheReceiptsSay(bool tcp, RemovePolicy policy, BalancePolicy balance, int workers)
    {
        Gen<(Step Step, int Host, int Number)[]> history =
            (from step in Gen.Elements(Enum.GetValues<Step>())
             from host in Gen.Choose(11, 13)
             from number in Gen.Choose(0, MaxFlows - 1)
             select (step, host, number)).ArrayOf();
        Prop.ForAll(history.ToArbitrary(), steps => new History(tcp, policy, balance, workers).PlayAsync(steps).GetAwaiter().GetResult())
            .Check(Config.QuickThrowOnFailure.WithMaxTest(40));
    }

    /// <summary>What becomes of a flow at its next packet.</summary>
    private enum Fate
    {
        Stays,

        /// <summary>It leaves while its backend is down.</summary>
        Leaves,

        /// <summary>Its backend was removed.</summary>
        Gone,
    }

    /// <summary>What a backend is to the oracle.</summary>
    private sealed record Backend(int Weight, bool Drain, bool Down)
    {
        public bool TakesFlows => Weight > 0 && !Drain && !Down;
    }

    private sealed class History(bool tcp, RemovePolicy policy, BalancePolicy balance, int workers)
    {
        private static readonly ServiceNet s_net = ServiceNet.V4;
        private readonly SortedDictionary<int, Backend> _backends = [];

        /// <summary>Where each flow is; and whether its next packet must find another backend, or a reset.</summary>
        private readonly Dictionary<int, (int Host, Fate Fate)> _flows = [];

        public async Task PlayAsync((Step Step, int Host, int Number)[] steps)
        {
            await using TestPlane plane = TestPlane.Create(builder =>
                s_net.Add(builder, "web", 80, tcp, balance).Workers(settings => settings with { Count = workers }));
            await UpdateAsync(plane, 11, new Backend(1, false, false));
            foreach ((Step step, int host, int number) in steps)
            {
                Backend? known = _backends.GetValueOrDefault(host);
                switch (step)
                {
                    case Step.Open or Step.Speak:
                        Speak(plane, number, step == Step.Open);
                        break;
                    case Step.Add when known is null:
                        await UpdateAsync(plane, host, new Backend(1 + (number % 3), false, false));
                        break;
                    case Step.Remove when known is not null:
                        await UpdateAsync(plane, host, null);
                        break;
                    case Step.Weigh when known is not null:
                        await UpdateAsync(plane, host, known with { Weight = number % 4 });
                        break;
                    case Step.Drain or Step.Undrain when known is not null:
                        await UpdateAsync(plane, host, known with { Drain = step == Step.Drain });
                        break;
                    case Step.Fail or Step.Recover when known is not null:
                        await ReportAsync(plane, host, known with { Down = step == Step.Fail });
                        break;
                    default:
                        break;
                }
            }

            foreach (int number in _flows.Keys.ToArray())
            {
                Speak(plane, number, isNew: false);
            }

            plane.Wait(TimeSpan.FromMilliseconds(200));
            AssertCounts(plane);
        }

        private void Speak(TestPlane plane, int number, bool isNew)
        {
            bool isKnown = _flows.TryGetValue(number, out (int Host, Fate Fate) flow);
            if (!isKnown && !isNew)
            {
                return;
            }

            TcpFlags flags = isKnown ? TcpFlags.Ack : TcpFlags.Syn;
            PacketBuilder packet = s_net.FromClient();
            IReadOnlyList<(string Port, byte[] Frame)> sent = plane.Send("wan", (tcp ? packet.Tcp((ushort)(1000 + number), 80, flags) : packet.Udp((ushort)(1000 + number), 80)).Build());
            bool resets = isKnown && flow.Fate != Fate.Stays && tcp && policy == RemovePolicy.Reset;
            if (isKnown && flow.Fate == Fate.Stays)
            {
                Assert.Equal(flow.Host, s_net.HostOf(Assert.Single(sent).Frame));
            }
            else if (resets)
            {
                Assert.Equal("wan", Assert.Single(sent).Port);
                _flows.Remove(number);
            }
            else if (_backends.Values.Any(backend => backend.TakesFlows))
            {
                int host = s_net.HostOf(Assert.Single(sent).Frame);
                Assert.True(_backends[host].TakesFlows, $"flow {number} went to {host}, which takes none");
                _flows[number] = (host, Fate.Stays);
            }
            else
            {
                Assert.Empty(sent);
                _flows.Remove(number);
            }
        }

        private async Task UpdateAsync(TestPlane plane, int host, Backend? next)
        {
            if (next is null)
            {
                _backends.Remove(host);
            }
            else
            {
                _backends[host] = next;
            }

            DataplaneSpec spec = plane.Engine.Spec;
            spec = spec with
            {
                Services =
                [
                    spec.Services[0] with
                    {
                        OnRemove = policy,
                        Backends = [.. _backends.Select(entry => new BackendSpec
                        {
                            Address = s_net.Backend(entry.Key), Port = 8080, Weight = entry.Value.Weight, Drain = entry.Value.Drain,
                        })],
                    },
                ],
            };
            ChangeReceipt preview = await plane.Engine.PreviewAsync(spec);
            ChangeReceipt receipt = await plane.Engine.UpdateAsync(spec);
            Assert.Equal(preview.Flows, receipt.Flows);
            Assert.Equal(preview.Backends, receipt.Backends);
            Assert.Equal(preview.Services, receipt.Services);
            Judge(plane, receipt);
        }

        private async Task ReportAsync(TestPlane plane, int host, Backend next)
        {
            bool isNews = _backends[host].Down != next.Down;
            _backends[host] = next;
            ChangeReceipt? receipt = await plane.Engine.ReportHealthAsync("web", s_net.Backend(host), 8080, !next.Down, "said so");
            Assert.Equal(isNews, receipt is not null);
            if (receipt is not null)
            {
                Judge(plane, receipt);
            }
        }

        /// <summary>Works out what must become of every flow, and compares the sums with the receipt's.</summary>
        private void Judge(TestPlane plane, ChangeReceipt receipt)
        {
            bool hasTaker = _backends.Values.Any(backend => backend.TakesFlows);
            int leaving = 0, moved = 0, ended = 0;
            foreach ((int number, (int host, Fate before)) in _flows.ToArray())
            {
                Backend? backend = _backends.GetValueOrDefault(host);

                // A backend that was removed does not come back for its flows, unless they were kept; one that is up again does.
                Fate after = before == Fate.Gone || (backend is null && !(tcp && policy == RemovePolicy.Keep)) ? Fate.Gone
                    : !tcp && backend!.Down && hasTaker ? Fate.Leaves
                    : Fate.Stays;
                _flows[number] = (host, after);
                bool isNews = before == Fate.Stays && after != Fate.Stays;
                bool moves = hasTaker && !(tcp && policy == RemovePolicy.Reset);
                leaving += before != Fate.Stays && after != Fate.Stays ? 1 : 0;
                moved += isNews && moves ? 1 : 0;
                ended += isNews && !moves ? 1 : 0;
            }

            Assert.Equal(new FlowChange(_flows.Count - leaving - moved - ended, moved, ended, leaving), receipt.Flows);
            Assert.All(receipt.Services, change => Assert.Equal(change.MinimumSlotsMoved, change.SlotsMoved));
            Assert.Equal(plane.Engine.Version, receipt.Version);
        }

        private void AssertCounts(TestPlane plane)
        {
            Assert.Equal(_flows.Count, plane.Engine.ReadFigures().FlowEntries / 2);
            foreach (BackendStatus status in plane.Engine.ReadServices()[0].Backends)
            {
                Assert.Equal(_flows.Values.Count(flow => s_net.Backend(flow.Host) == status.Address), status.ActiveFlows);
            }
        }
    }
}
