using System.Net;
using Dataplane.Mesh.Relay;

namespace Dataplane.Mesh.Tests.Relay;

public sealed class EndpointPoolTests
{
    [Fact]
    public void Take_RoundRobin_KeepsWeightsInEveryWindow()
    {
        EndpointPool pool = Pool(EndpointBalance.RoundRobin, 3, 1, 2);
        int[] ports = [.. Enumerable.Range(0, 60).Select(_ => pool.Take([], 0)!.Spec.Address!.Port)];
        for (int window = 0; window < 60; window += 6)
            Assert.Equal([3, 1, 2], Enumerable.Range(1, 3).Select(port => ports.Skip(window).Take(6).Count(one => one == port)));
        Assert.DoesNotContain(Enumerable.Range(0, 58), i => ports[i] == ports[i + 1] && ports[i] == ports[i + 2]);
    }

    [Fact]
    public void Take_LeastConnections_FillsTheEmptiestForItsWeight()
    {
        EndpointPool pool = Pool(EndpointBalance.LeastConnections, 2, 1);
        Endpoint[] taken = [.. Enumerable.Range(0, 30).Select(_ => pool.Take([], 0)!)];
        Assert.Equal([20, 10], pool.Endpoints.Select(endpoint => endpoint.Active));
        foreach (Endpoint first in taken.Where(endpoint => endpoint == pool.Endpoints[0]))
            first.Closed();
        Assert.Equal(1, pool.Take([], 0)!.Spec.Address!.Port);
    }

    [Fact]
    public void Note_FailuresInARow_LeaveOutForLongerEachTimeAndASuccessForgives()
    {
        EndpointPool pool = Pool(EndpointBalance.RoundRobin, 1, 1);
        Endpoint bad = pool.Endpoints[0], good = pool.Endpoints[1];
        Fail(pool, bad, 3, nowMs: 0);
        Assert.All(Enumerable.Range(0, 10), _ => Assert.Same(good, pool.Take([], 9_999)));
        Assert.Contains(bad, Enumerable.Range(0, 10).Select(_ => pool.Take([], 10_000)));
        Fail(pool, bad, 1, nowMs: 10_000);
        Assert.Equal(30_000, bad.EjectedUntilMs);
        pool.Note(bad, isConnected: true, 30_000);
        Fail(pool, bad, 2, nowMs: 30_000);
        Assert.Equal(0, bad.EjectedUntilMs);
    }

    [Fact]
    public void Take_AllLeftOut_TriesThemNevertheless()
    {
        EndpointPool pool = Pool(EndpointBalance.RoundRobin, 1, 1);
        foreach (Endpoint endpoint in pool.Endpoints)
            Fail(pool, endpoint, 3, nowMs: 0);
        Assert.NotNull(pool.Take([], 1));
        Assert.Null(pool.Take([.. pool.Endpoints], 1));
    }

    [Fact]
    public void Make_AgainWithTheSameEndpoint_KeepsWhatIsKnownOfIt()
    {
        EndpointPool pool = Pool(EndpointBalance.RoundRobin, 1, 1);
        pool.Take([], 0);
        var route = new RouteSpec { Endpoints = [.. pool.Endpoints.Skip(1).Select(endpoint => endpoint.Spec), new EndpointSpec { Address = new(IPAddress.Loopback, 9) }] };
        var next = new EndpointPool(route, new RelayLimits(), pool);
        Assert.Same(pool.Endpoints[1], next.Endpoints[0]);
        Assert.Equal(0, next.Endpoints[1].Active);
    }

    private static EndpointPool Pool(EndpointBalance balance, params int[] weights) => new(new RouteSpec
    {
        Balance = balance,
        Endpoints = [.. weights.Select((weight, i) => new EndpointSpec { Address = new IPEndPoint(IPAddress.Loopback, i + 1), Weight = weight })],
    }, new RelayLimits { EjectAfter = 3, EjectFor = TimeSpan.FromSeconds(10) }, null);

    private static void Fail(EndpointPool pool, Endpoint endpoint, int times, long nowMs)
    {
        for (int i = 0; i < times; i++)
        {
            endpoint.Opened();
            pool.Note(endpoint, isConnected: false, nowMs);
        }
    }
}
