// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {Country, IRegistry} from "../../src/IRegistry.sol";
import {IStanding} from "../../src/IStanding.sol";
import {Registry} from "../../src/Registry.sol";
import {Standing} from "../../src/Standing.sol";
import {Vm} from "../Base.sol";

/// @dev Six accounts that bond, leave, vouch and wait, and a model of what must come of it. As in `Actors`, each step
/// predicts from the model alone whether the contract accepts it. All of them may be supervisors at some time.
contract Depositors {
    Vm private constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));
    uint256 private constant ACCOUNTS = 6;
    uint256 private constant START_WEI = 100 ether;

    Registry private immutable registry;
    Standing private immutable standing;
    address private immutable governor;

    mapping(address => uint256) public bonded;
    mapping(address => uint256) public leaving;
    mapping(address => uint256) public released;
    mapping(address => bool) public inOffice;
    mapping(address => address) public voucher;
    mapping(address => mapping(uint256 => uint256)) private vouches;
    uint256 public nowS = 1_700_000_000;

    constructor(Registry registry_, Standing standing_, address governor_) {
        (registry, standing, governor) = (registry_, standing_, governor_);
        vm.warp(nowS);
        for (uint256 i = 0; i < ACCOUNTS; ++i) {
            vm.deal(actor(i), START_WEI);
        }
    }

    function bond(uint256 by, uint256 amountWei) external {
        address caller = actor(by);
        amountWei %= caller.balance + 1;
        vm.prank(caller);
        (bool accepted,) = address(standing).call{value: amountWei}(abi.encodeCall(IStanding.bond, ()));
        assert(accepted == (amountWei > 0));
        bonded[caller] += amountWei;
    }

    function goAway(uint256 by, uint256 amountWei) external {
        address caller = actor(by);
        // One step beyond what is there.
        amountWei %= bonded[caller] + 2;
        bool accepted = _act(caller, address(standing), abi.encodeCall(IStanding.requestUnbond, (amountWei)));
        assert(accepted == (amountWei > 0 && amountWei <= bonded[caller]));
        if (!accepted) return;
        bonded[caller] -= amountWei;
        leaving[caller] += amountWei;
        released[caller] = nowS + standing.unbondDelayS();
    }

    function withdraw(uint256 by) external {
        address caller = actor(by);
        bool accepted = _act(caller, address(standing), abi.encodeCall(IStanding.withdraw, ()));
        assert(accepted == (leaving[caller] > 0 && nowS >= released[caller]));
        if (accepted) (leaving[caller], released[caller]) = (0, 0);
    }

    function wait(uint256 seconds_) external {
        nowS += seconds_ % 5 days;
        vm.warp(nowS);
    }

    function appoint(uint256 who) external {
        address account = actor(who);
        bytes memory call_ = abi.encodeCall(IRegistry.addSupervisor, (account, Country.wrap("KR")));
        assert(_act(governor, address(registry), call_) == !inOffice[account]);
        inOffice[account] = true;
    }

    function dismiss(uint256 who) external {
        address account = actor(who);
        bytes memory call_ = abi.encodeCall(IRegistry.removeSupervisor, (account));
        assert(_act(governor, address(registry), call_) == inOffice[account]);
        inOffice[account] = false;
    }

    function vouch(uint256 by, uint256 who) external {
        (address caller, address account) = (actor(by), actor(who));
        bool accepted = _act(caller, address(standing), abi.encodeCall(IStanding.vouch, (account)));
        uint256 today = nowS / 1 days;
        bool left = vouches[caller][today] < standing.vouchesPerDay();
        assert(accepted == (inOffice[caller] && !inOffice[voucher[account]] && left));
        if (!accepted) return;
        voucher[account] = caller;
        ++vouches[caller][today];
    }

    function revoke(uint256 by, uint256 who) external {
        // The governor as well.
        address caller = by % (ACCOUNTS + 1) == ACCOUNTS ? governor : actor(by);
        address account = actor(who);
        bool accepted = _act(caller, address(standing), abi.encodeCall(IStanding.revokeVouch, (account)));
        address supervisor = voucher[account];
        bool may = caller == (inOffice[supervisor] ? supervisor : governor);
        assert(accepted == (supervisor != address(0) && may));
        if (accepted) delete voucher[account];
    }

    function actor(uint256 index) public pure returns (address) {
        return address(uint160(0xBEE00 + index % ACCOUNTS));
    }

    /// @dev All coins there are: none is made or lost.
    function startWei() external pure returns (uint256) {
        return ACCOUNTS * START_WEI;
    }

    function _act(address caller, address to, bytes memory data) private returns (bool accepted) {
        vm.prank(caller);
        (accepted,) = to.call(data);
    }
}
