namespace Dataplane.Flows;

/// <summary>Those flows of a table whose packets something else forwards, by what the table said of them: it is told what changes. On the worker's thread.</summary>
/// <remarks>Asked and told when flows begin to end or change, never for each packet.</remarks>
internal interface IOffloadedFlows
{
    /// <summary>Has the packets of an entry come to the engine, from the return of this on: it ends, becomes another, or its next packet matters.</summary>
    void Recall(int index);

    /// <summary>Has all those come to the engine that leave to a neighbour.</summary>
    void RecallTo(int neighbour);

    /// <summary>Whether packets of an entry have passed that the table has not been told of yet.</summary>
    bool HasPassed(int index);
}
